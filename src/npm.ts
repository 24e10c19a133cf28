/** npm's first word about what went wrong that is more than a code. */
export function npmReason(output: string): string {
  const lines = output
    .split(/\r?\n/)
    .filter((line) => /^npm (error|ERR!)/.test(line))
    .map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim());
  const line = lines.find((candidate) => candidate.includes(' ') && !/^(code|errno|syscall|A complete log)\b/.test(candidate)) ?? 'it gave no reason';
  return line.replace(/\.$/, '').slice(0, 300);
}

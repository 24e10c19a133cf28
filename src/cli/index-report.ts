import { counted, formatBytes } from '../format.ts';
import type { Survey } from '../index/files/survey.ts';
import { table } from './output.ts';

const mostRows = 20;
const mostNamed = 50;

/** What was left out, by reason, most first, on a line. */
export function reasonsLine(excluded: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(excluded).sort(([, a], [, b]) => b - a);
  return `Left out: ${reasons.map(([reason, count]) => `${count} ${reason}`).join(', ')}.`;
}

/** What `index --dry-run` prints. */
export function describeSurvey({ files, bytes, languages, folders, excluded }: Survey): string {
  const byLanguage = languages.map(({ language, ...counted }) => ({ name: language, ...counted }));
  const byFolder = folders.map(({ folder, ...counted }) => ({ name: folder, ...counted }));
  const found = files === 0 ? [] : [counts('language', byLanguage), counts('folder', byFolder)];
  return [`${counted(files, 'file')}, ${formatBytes(bytes)}, would be indexed.\n`, ...found, ...describeExcluded(excluded)].join('\n');
}

function counts(what: string, rows: ReadonlyArray<{ readonly name: string; readonly files: number; readonly bytes: number }>): string {
  const shown = rows.slice(0, mostRows).map(({ name, files, bytes }) => [printable(name), String(files), formatBytes(bytes)]);
  const rest = rows.length > mostRows ? `… and ${rows.length - mostRows} more\n` : '';
  return table([[what, 'files', 'size'], ...shown]) + rest;
}

function describeExcluded({ files, folders, reasons, list }: Survey['excluded']): string[] {
  const count = files + folders;
  if (count === 0) return [];
  const shown = list.slice(0, mostNamed);
  const named = shown.map(({ path, isFolder, reason }) => `  ${printable(path)}${isFolder ? '/' : ''}: ${reason}\n`);
  const rest = count > shown.length ? `  … and ${count - shown.length} more; --json names up to ${list.length}\n` : '';
  return [table([['left out', 'files', 'folders'], ...reasons.map((row) => [row.reason, String(row.files), String(row.folders)])]), named.join('') + rest];
}

/** Names may hold line ends and what a terminal obeys. */
export function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

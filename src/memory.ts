import { readFileSync } from 'node:fs';

/**
 * Memory this process holds for itself, in bytes: anonymous resident pages on Linux (weights that are mapped from a file
 * do not count, the system can drop them), the resident set elsewhere.
 */
export function residentBytes(): number {
  if (process.platform === 'linux') {
    const anonymous = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (anonymous?.[1] !== undefined) return Number(anonymous[1]) * 1024;
  }
  return process.memoryUsage.rss();
}

/** What this process may still take, in bytes: what is free, or what the container it runs in leaves. */
export function availableBytes(): number {
  return process.availableMemory();
}

import type { Readable } from 'node:stream';
import { join } from 'node:path';
import type { Cli } from './harness.ts';

/** A small workspace of code, prose and what is left out. */
export const files: Readonly<Record<string, string>> = {
  'src/addresses.ts': `/** Reads addresses from a text. */
export function parseAddress(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

export class Cache {
  #values = new Map<string, string>();

  /** Puts a value under a key. */
  put(key: string, value: string): void {
    this.#values.set(key, value);
  }
}
`,
  'retry.py': `def retry_request(times):
    """Sends a failed request again, later each time."""
    for attempt in range(times):
        print(attempt)
`,
  'docs/guide.md': '# Guide\n\nHow to install.\n\n## Retry\n\nFailed requests are sent again with exponential backoff.\n',
  '.gitignore': 'ignored/\n',
  'ignored/secret_plan.ts': 'export const plan = 1;\n',
  'node_modules/left/index.js': 'module.exports = 1;\n',
  '.env': 'TOKEN=1234\n',
};

/** Writes files into the workspace `ws` of a test, and gives its path. */
export async function writeWorkspace(cli: Cli, content: Readonly<Record<string, string | Uint8Array>> = files): Promise<string> {
  for (const [name, text] of Object.entries(content)) await cli.write(join('ws', name), text);
  return cli.path('ws');
}

/**
 * What a process says, piece by piece: each call waits for what comes next and matches, and leaves what stands behind it to
 * the next call. Rejects where the process ends without it.
 */
export function follow(stream: Readable): (pattern: RegExp) => Promise<RegExpExecArray> {
  let text = '';
  let isEnded = false;
  let wake = (): void => undefined;
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    wake();
  });
  stream.once('close', () => {
    isEnded = true;
    wake();
  });
  return async (pattern) => {
    for (;;) {
      const found = pattern.exec(text);
      if (found !== null) {
        text = text.slice(found.index + found[0].length);
        return found;
      }
      if (isEnded) throw new Error(`It ended without ${pattern}: ${text}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
}

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';
import { CancelledError, errors } from '../errors.ts';

/** What `l3prune embed --json` reports at its end. */
export interface EmbedSummary {
  readonly texts: number;
  readonly tokens: number;
  readonly loadSeconds: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

export interface ChildEmbedding extends EmbedSummary {
  readonly vectors: readonly Float32Array[];
}

/** Runs `l3prune embed` of this very program in a process of its own. Errors: ENGINE with the child's sentence, CANCELLED. */
export async function embedInChild(
  args: readonly string[],
  texts: readonly string[],
  signal: AbortSignal,
  onVector: (count: number) => void,
): Promise<ChildEmbedding> {
  const child = spawn(process.execPath, [process.argv[1]!, 'embed', '--json', ...args], { stdio: ['pipe', 'pipe', 'pipe'], signal });
  child.on('error', () => {});
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const messages = readAll(child.stderr);
  // A child that fails closes its end; its own sentence says why.
  child.stdin.on('error', () => {});
  child.stdin.end(texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  const vectors: Float32Array[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    vectors.push(Float32Array.from((JSON.parse(line) as { embedding: number[] }).embedding));
    onVector(vectors.length);
  }
  const code = await exited;
  if (signal.aborted) throw new CancelledError();
  const lines = (await messages).trim().split('\n');
  if (code !== 0 || vectors.length !== texts.length) throw errors.engine(`Embedding in a process of its own failed: ${lines.at(-1) ?? `exit code ${code}`}`);
  return { ...(JSON.parse(lines.at(-1)!) as EmbedSummary), vectors };
}

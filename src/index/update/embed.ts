import { join } from 'node:path';
import { lstat } from 'node:fs/promises';
import type { EncoderText } from '../../encoder/prompt.ts';
import { CancelledError, throwIfCancelled } from '../../errors.ts';
import { readWorkspaceFile, type ReadOptions } from '../files/read.ts';
import type { IndexEncoder } from '../encoder.ts';
import type { StoredEncoder } from '../store/types.ts';
import type { IndexWriter, PendingText } from '../store/writer.ts';
import { pack, quantize } from '../scan/quantize.ts';
import { chunkedTexts } from './texts.ts';

/** How far the vectors are. Estimates never grow but by new work. */
export interface EmbedProgress {
  readonly done: number;
  readonly total: number;
  readonly tokensPerSecond: number;
  /** Undefined in the first seconds, when nobody knows. */
  readonly secondsLeft: number | undefined;
  /** Why it stands still, where it does. */
  readonly paused?: string | undefined;
}

export interface EmbedResult {
  /** Texts that got a vector, and their tokens. */
  readonly embedded: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Texts that their file does not hold as it was indexed, because it has changed since: the next look reads it again. */
  readonly skipped: number;
}

export interface EmbedOptions {
  readonly encoder: IndexEncoder;
  readonly stored: StoredEncoder;
  readonly root: string;
  readonly mostBytes: number;
  /** Waits while others need the machine; yields the reason each time that it still does. */
  readonly pace: () => AsyncGenerator<string, void>;
  /** For how many seconds a run may compute just now. */
  readonly mostSeconds: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** Texts that are sorted by length together: enough to waste little on padding, little enough to lose little. */
const windowTexts = 512;
/** Vectors are committed at least so often. */
const commitMilliseconds = 1000;
/** An estimate before that is a guess. */
const settledSeconds = 2;
/** Until the first run has told how fast this machine is. */
const firstTokensPerSecond = 1000;

/**
 * Embeds every text of the index that has no vector of this encoder yet, in windows sorted by length. What is done is
 * committed about once a second.
 *
 * @throws ENGINE, NOT_FINITE, BAD_INDEX, WRITE_FAILED, BUSY, CANCELLED
 */
export async function* embedPending(writer: IndexWriter, options: EmbedOptions): AsyncGenerator<EmbedProgress, EmbedResult> {
  const { encoder, stored, signal } = options;
  const { texts: total, embedded: before } = writer.coverage(stored);
  const clock = new Clock(before, total);
  let skipped = 0;
  let after = 0;
  for (;;) {
    const pending = writer.pending(stored, after, windowTexts);
    if (pending.length === 0) break;
    after = pending.at(-1)!.chunkId;
    const { texts, empty, missing } = await preparedTexts(pending, options);
    for (const { path } of missing) writer.distrustFile(path);
    skipped += missing.length;
    clock.skip(missing.length + empty.length);
    const commits = new Commits(writer, stored);
    // Nothing is near to a vector of zeros, and nobody asks for it again.
    for (const textHash of empty) commits.add(textHash, pack(quantize(new Float32Array(encoder.dimensions))));
    const runs = encoder.encoder.runs(texts.map(({ text }) => text), signal, () => clock.tokensPerSecond() * options.mostSeconds());
    try {
      for (;;) {
        for await (const paused of options.pace()) {
          throwIfCancelled(signal);
          yield { ...clock.progress(), paused };
        }
        const started = performance.now();
        const step = await runs.next();
        if (step.done) break;
        const { texts: places, embeddings, tokens } = step.value;
        places.forEach((place, i) => {
          const vector = embeddings.subarray(i * encoder.dimensions, (i + 1) * encoder.dimensions);
          commits.add(texts[place]!.textHash, encoder.packed(vector));
        });
        clock.count(places.length, tokens, (performance.now() - started) / 1000);
        commits.commitIfDue();
        yield clock.progress();
      }
    } catch (error) {
      if (error instanceof CancelledError) commits.commit();
      throw error;
    }
    commits.commit();
  }
  return { embedded: clock.embedded, tokens: clock.tokens, seconds: clock.seconds, skipped };
}

/** The pending texts, read again from their files: no copy of the user's code is kept. */
async function preparedTexts(
  pending: readonly PendingText[],
  { encoder, root, mostBytes, signal }: EmbedOptions,
): Promise<{ texts: Array<{ textHash: Uint8Array; text: EncoderText }>; empty: Uint8Array[]; missing: PendingText[] }> {
  const byPath = new Map<string, PendingText[]>();
  for (const text of new Map(pending.map((text) => [keyOf(text.textHash), text])).values()) {
    const others = byPath.get(text.path);
    if (others === undefined) byPath.set(text.path, [text]);
    else others.push(text);
  }
  const texts: Array<{ textHash: Uint8Array; text: EncoderText }> = [];
  const empty: Uint8Array[] = [];
  const missing: PendingText[] = [];
  for (const wanted of byPath.values()) {
    const contexts = await contextsOf(root, wanted[0]!, { mostBytes, signal });
    for (const one of wanted) {
      const { textHash } = one;
      const context = contexts.get(keyOf(textHash));
      if (context === undefined) missing.push(one);
      else {
        const text = encoder.prepare(context);
        if (text === undefined) empty.push(textHash);
        else texts.push({ textHash, text });
      }
    }
  }
  return { texts, empty, missing };
}

/** What an encoder reads of a file's chunks, by hash; of a file that is gone or has become unreadable, nothing. */
async function contextsOf(root: string, { path, language }: PendingText, options: ReadOptions): Promise<Map<string, string>> {
  const absolute = join(root, path);
  const found = await lstat(absolute).catch(() => undefined);
  if (found === undefined) return new Map();
  const read = await readWorkspaceFile({ path, absolute, size: found.size, mtimeMs: found.mtimeMs, language }, options);
  if ('reason' in read) return new Map();
  const texts = await chunkedTexts(read.text, path);
  return new Map(texts.map(({ context, textHash }) => [keyOf(textHash), context]));
}

function keyOf(textHash: Uint8Array): string {
  return Buffer.from(textHash.buffer, textHash.byteOffset, textHash.byteLength).toString('hex');
}

/** Vectors that wait to be committed. */
class Commits {
  readonly #writer: IndexWriter;
  readonly #stored: StoredEncoder;
  #waiting: Array<{ textHash: Uint8Array; vector: Uint8Array }> = [];
  #last = performance.now();

  constructor(writer: IndexWriter, stored: StoredEncoder) {
    this.#writer = writer;
    this.#stored = stored;
  }

  add(textHash: Uint8Array, vector: Uint8Array): void {
    this.#waiting.push({ textHash, vector });
  }

  commitIfDue(): void {
    if (performance.now() - this.#last > commitMilliseconds) this.commit();
  }

  commit(): void {
    if (this.#waiting.length > 0) this.#writer.putVectors(this.#stored, this.#waiting);
    this.#waiting = [];
    this.#last = performance.now();
  }
}

/** Counts texts and time; what it says is left never grows. */
class Clock {
  embedded = 0;
  tokens = 0;
  /** Of computing alone. */
  seconds = 0;
  #done: number;
  readonly #total: number;
  #secondsLeft: number | undefined;

  constructor(done: number, total: number) {
    this.#done = done;
    this.#total = total;
  }

  count(texts: number, tokens: number, seconds: number): void {
    this.embedded += texts;
    this.#done += texts;
    this.tokens += tokens;
    this.seconds += seconds;
    if (this.seconds < settledSeconds) return;
    const left = ((this.#total - this.#done) * this.seconds) / this.embedded;
    this.#secondsLeft = Math.max(0, Math.min(left, this.#secondsLeft ?? Infinity));
  }

  skip(texts: number): void {
    this.#done += texts;
  }

  tokensPerSecond(): number {
    return this.seconds === 0 ? firstTokensPerSecond : this.tokens / this.seconds;
  }

  progress(): EmbedProgress {
    return { done: Math.min(this.#done, this.#total), total: this.#total, tokensPerSecond: this.tokensPerSecond(), secondsLeft: this.#secondsLeft };
  }
}

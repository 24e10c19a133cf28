import { Command } from 'commander';
import { z } from 'zod';
import { splitLines } from '../../data/lines.ts';
import { Encoder } from '../../encoder/encoder.ts';
import type { EncoderInput, EncoderText } from '../../encoder/prompt.ts';
import { errors, L3PruneError, throwIfCancelled } from '../../errors.ts';
import { residentBytes } from '../../memory.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { openModelFor } from '../../prune/inputs.ts';
import { homeOf, modelOptions, withOptions, wholeNumber, type ModelOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { describeBytes } from '../sentences.ts';

interface EmbedOptions extends ModelOptions {
  readonly model: string;
  readonly layer?: number;
  readonly allLayers?: true;
  readonly tokens?: true;
}

/** Lines held at a time: enough to group by length, little enough that any input fits in memory. */
const windowLines = 256;
const windowCharacters = 8 << 20;

/** `l3prune embed`: standard input to vectors, a line each. */
export function embedCommand(signal: AbortSignal): Command {
  return modelOptions(
    new Command('embed').description('turn standard input into vectors: a text a line, or {"text", "instruction"?, "separator"?, "prefix"?, "suffix"?} a line'),
  )
    .requiredOption('--model <model>', 'folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1')
    .option('--layer <n>', 'use the first n layers', wholeNumber(1, 100_000))
    .option('--all-layers', 'give the vector of every layer')
    .option('--tokens', 'give token ids, their spans in code points, and which were pooled')
    .action(async (options: EmbedOptions) => run(options, signal));
}

async function run(options: EmbedOptions, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const started = performance.now();
  const { checkpoint, engine } = await openModelFor(options.model, {
    home: homeOf(options),
    threads: options.threads,
    signal,
    onProgress: (progress) => line.show(progress.what, progress.doneBytes, progress.totalBytes, describeBytes(progress)),
  });
  line.end();
  const settings = withOptions(await defaultSettings(checkpoint), options);
  const encoder = await Encoder.open(engine, checkpoint, {
    ...settings,
    layers: options.layer,
    output: options.allLayers ? 'every' : 'last',
  });
  const loaded = performance.now();
  let texts = 0;
  let tokens = 0;
  let peakBytes = 0;
  for await (const batch of windows(inputLines(signal))) {
    const prepared = batch.map(({ number, input }) => prepare(encoder, settings.separator, number, input));
    const vectors = await encoder.encode(prepared, signal, (runDone) => {
      tokens += runDone.tokens;
      peakBytes = Math.max(peakBytes, residentBytes());
      line.show('embedding', texts, undefined, `${texts} texts, ${tokens} tokens`);
    });
    for (const [i, text] of prepared.entries()) await printJson(result(encoder, vectors, prepared.length, i, text, options));
    texts += prepared.length;
  }
  line.end();
  const finished = performance.now();
  const summary = { texts, tokens, loadSeconds: (loaded - started) / 1000, seconds: (finished - loaded) / 1000, peakBytes };
  process.stderr.write(
    options.json
      ? `${JSON.stringify(summary)}\n`
      : `${texts} texts, ${tokens} tokens in ${summary.seconds.toFixed(1)} s after ${summary.loadSeconds.toFixed(1)} s of loading, peak ${Math.round(peakBytes / 1e6)} MB\n`,
  );
  await encoder.dispose();
}

const inputSchema = z.object({
  text: z.string(),
  instruction: z.string().optional(),
  separator: z.string().optional(),
  prefix: z.string().optional(),
  suffix: z.string().optional(),
});

/** A line that is a JSON object with a `text` is read as one; every other line is itself the text. */
function parseLine(line: string, number: number): EncoderInput {
  if (!line.startsWith('{')) return { text: line };
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { text: line };
  }
  if (json === null || typeof json !== 'object' || !('text' in json)) return { text: line };
  const parsed = inputSchema.safeParse(json);
  if (parsed.success) return parsed.data as EncoderInput;
  const issue = parsed.error.issues[0];
  throw errors.badData(`Line ${number} of the input: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not of the expected form'}.`);
}

/** The texts on standard input. A line that cannot be read ends it: what was left out would shift every line after it. */
async function* inputLines(signal: AbortSignal): AsyncGenerator<{ number: number; input: EncoderInput; length: number }> {
  const source = process.stdin;
  const stop = (): void => void source.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let expected = 1;
  try {
    for await (const line of splitLines(source, signal)) {
      if (line.number !== expected++) throw errors.nothingToPool(`Line ${expected - 1} of the input is blank: leave it out.`);
      if (line.problem !== undefined) throw errors.badData(`Line ${line.number} of the input ${line.problem}.`);
      const text = line.text.replace(/\r$/, '');
      yield { number: line.number, input: parseLine(text, line.number), length: text.length };
    }
  } catch (error) {
    throwIfCancelled(signal);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  throwIfCancelled(signal);
}

async function* windows<T extends { length: number }>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let held: T[] = [];
  let characters = 0;
  for await (const item of items) {
    held.push(item);
    characters += item.length;
    if (held.length < windowLines && characters < windowCharacters) continue;
    yield held;
    held = [];
    characters = 0;
  }
  if (held.length > 0) yield held;
}

function prepare(encoder: Encoder, separator: string, number: number, input: EncoderInput): EncoderText {
  try {
    return encoder.prepare({ separator, ...input });
  } catch (error) {
    if (!(error instanceof L3PruneError)) throw error;
    throw new L3PruneError(error.code, `Line ${number} of the input: ${error.message}`, { cause: error });
  }
}

function result(
  encoder: Encoder,
  vectors: Float32Array,
  texts: number,
  place: number,
  { ids, spans, pooled }: EncoderText,
  { allLayers, tokens }: EmbedOptions,
): Record<string, unknown> {
  const size = encoder.checkpoint.config.hiddenSize;
  const vector = (output: number): number[] => Array.from(vectors.subarray((output * texts + place) * size, (output * texts + place + 1) * size), nineDigits);
  return {
    ...(allLayers ? { layers: Array.from({ length: encoder.outputs }, (_, output) => vector(output)) } : { embedding: vector(0) }),
    ...(tokens ? { ids, spans, pooled: [...pooled] } : {}),
  };
}

/** Nine significant digits tell every float32 apart. */
function nineDigits(x: number): number {
  return Number(x.toPrecision(9));
}

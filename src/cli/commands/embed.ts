import { Command, Option } from 'commander';
import { withAdapter } from '../../encoder/adapted.ts';
import { readAdapter } from '../../encoder/adapter.ts';
import { applyCalibration, roles, type Calibration, type Role } from '../../encoder/calibration.ts';
import { Encoder } from '../../encoder/encoder.ts';
import { loraModules } from '../../encoder/lora.ts';
import { roleOf, withOwnPrompt, type EncoderText, type RoleInput } from '../../encoder/prompt.ts';
import { residentBytes } from '../../memory.ts';
import type { Checkpoint } from '../../models/types.ts';
import { readCalibration } from '../../prune/calibration.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { readManifest, type CheckpointEncoderSettings } from '../../prune/manifest.ts';
import { inputLines, naming } from '../embed-input.ts';
import { openNamedModel } from '../model.ts';
import { modelOptions, named, reportOptions, withOptions, wholeNumber, type ModelOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';

interface EmbedOptions extends ModelOptions {
  readonly model: string;
  readonly adapter?: string;
  readonly layer?: number;
  readonly allLayers?: true;
  readonly tokens?: true;
  readonly role?: Role;
  readonly calibration: boolean;
}

/** Lines held at a time: enough to group by length, little enough that any input fits in memory. */
const windowLines = 256;
const windowCharacters = 8 << 20;

/** `l3prune embed`: standard input to vectors, a line each. */
export function embedCommand(signal: AbortSignal): Command {
  const command = new Command('embed').description(
    'turn standard input into vectors: a text a line, or {"text", "instruction"?, "separator"?, "prefix"?, "suffix"?, "role"?} a line; a JSON document a line comes out',
  );
  return reportOptions(modelOptions(command), 'end with one JSON document on standard error: texts, tokens, seconds, peak memory')
    .requiredOption('--model <model>', 'folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1', named)
    .option('--adapter <dir>', "apply an adapter in the format of PEFT, in the place of the model's own", named)
    .option('--layer <n>', 'use the first n layers', wholeNumber(1, 100_000))
    .option('--all-layers', 'give the vector of every layer')
    .option('--tokens', 'give token ids, their spans in code points, and which were pooled')
    .addOption(
      new Option('--role <role>', 'what texts are that do not say so themselves (default: query with an instruction, else document); a query gets the instruction that the checkpoint keeps').choices(roles),
    )
    .option('--no-calibration', 'give plain vectors, without the calibration that the checkpoint keeps')
    .action(async (options: EmbedOptions) => run(options, signal));
}

async function run(options: EmbedOptions, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const started = performance.now();
  const { checkpoint: stored, engine } = await openNamedModel(options.model, options, line, signal);
  const adapter = options.adapter === undefined ? undefined : await readAdapter(options.adapter, stored.config, options.layer);
  const checkpoint = adapter === undefined ? stored : withAdapter(stored, adapter);
  const settings = withOptions(await defaultSettings(checkpoint), options);
  const encoder = await Encoder.open(engine, checkpoint, {
    ...settings,
    // An adapter belongs to a model of so many layers as it has tensors for.
    layers: options.layer ?? (adapter && adapter.modules.length / loraModules(stored.config, 1, adapter.lora.targets).length),
    output: options.allLayers ? 'every' : 'last',
  });
  const calibration = options.calibration ? await calibrationOf(checkpoint, settings, options) : undefined;
  const loaded = performance.now();
  let texts = 0;
  let tokens = 0;
  let peakBytes = 0;
  for await (const batch of windows(inputLines(process.stdin, signal))) {
    const inputs = batch.map(({ input }): RoleInput => ({ ...input, role: input.role ?? options.role ?? roleOf(input) }));
    const prepared = batch.map(({ number }, i) => naming(number, () => encoder.prepare(withOwnPrompt(inputs[i]!, settings))));
    const vectors = await encoder.encode(prepared, signal, (runDone) => {
      tokens += runDone.tokens;
      peakBytes = Math.max(peakBytes, residentBytes());
      line.show('embedding', texts, undefined, `${texts} texts, ${tokens} tokens`);
    });
    for (const [i, text] of prepared.entries()) {
      const outputs = vectorsAt(vectors, { texts: prepared.length, size: checkpoint.config.hiddenSize, place: i });
      const calibrated = calibration === undefined ? outputs : applyCalibration(calibration, roleOf(inputs[i]!), outputs);
      await printJson(result(calibrated, text, options), signal);
    }
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

/**
 * What the checkpoint's modules do after pooling. Vectors of other layers and settings than its own stay plain, which is
 * said where nobody asked for that.
 */
async function calibrationOf(checkpoint: Checkpoint, settings: CheckpointEncoderSettings, { layer, allLayers }: EmbedOptions): Promise<Calibration | undefined> {
  const manifest = await readManifest(checkpoint.directory);
  const layers = layer ?? checkpoint.config.numHiddenLayers;
  const calibration = allLayers ? undefined : await readCalibration(checkpoint, manifest, { ...settings, layers });
  if (calibration === undefined && manifest !== undefined && manifest.calibration !== null)
    process.stderr.write(
      `The vectors are plain: the checkpoint's calibration is of layer ${manifest.layers} under ${manifest.encoder.attention} attention and ${manifest.encoder.pooling} pooling.\n`,
    );
  return calibration;
}

/** One text's vector at every output; vectors [outputs, texts, size]. */
function vectorsAt(vectors: Float32Array, { texts, size, place }: { texts: number; size: number; place: number }): Float32Array[] {
  return Array.from({ length: vectors.length / (texts * size) }, (_, output) =>
    vectors.subarray((output * texts + place) * size, (output * texts + place + 1) * size),
  );
}

function result(outputs: readonly Float32Array[], { ids, spans, pooled }: EncoderText, { allLayers, tokens }: EmbedOptions): Record<string, unknown> {
  const rounded = outputs.map((vector) => Array.from(vector, nineDigits));
  return {
    ...(allLayers ? { layers: rounded } : { embedding: rounded[0] }),
    ...(tokens ? { ids, spans, pooled: [...pooled] } : {}),
  };
}

/** Nine significant digits tell every float32 apart. */
function nineDigits(x: number): number {
  return Number(x.toPrecision(9));
}

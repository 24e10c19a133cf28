import { setImmediate } from 'node:timers/promises';
import type { Engine, Executable, Program } from '../engine/engine.ts';
import { errors, throwIfCancelled } from '../errors.ts';
import { findPrefix } from '../models/config.ts';
import type { Ops, TensorData } from '../engine/ops.ts';
import type { Checkpoint, DecoderConfig, LoraParameters } from '../models/types.ts';
import { loraAdapt, loraFeeds, loraInputs, loraModules, parameterNames, type LoraModule } from './lora.ts';
import { planRuns, type Run } from './batching.ts';
import { prepareText, type EncoderInput, type EncoderText } from './prompt.ts';
import type { EncoderSettings } from './settings.ts';
import { unroundedProjections } from './rounding.ts';
import { pooledLayers, textFeeds, textInputs } from './texts.ts';
import type { Adapt } from './transformer.ts';

export interface EncoderOptions extends EncoderSettings {
  /** How many layers of the checkpoint to use, from the first; all when undefined. */
  readonly layers?: number | undefined;
  /** What a text yields: the output of the last of them, or of every one. */
  readonly output: 'last' | 'every';
  /** What most projections are multiplied in: see `Ops.roundedLinear` and `unroundedProjections`. float32 where left out. */
  readonly precision?: 'float32' | 'int8' | undefined;
}

/** What one run yields. */
export interface EncodedRun {
  /** Places of its texts in the list that was encoded. */
  readonly texts: Run;
  /** [outputs, texts, hiddenSize], row-major: one output, or one a layer. */
  readonly embeddings: Float32Array;
  /** Real tokens, and the places that attention is computed for, with the padding. */
  readonly tokens: number;
  readonly computed: number;
}

/** Work of one run in float operations: about half a second on two cores, so that a cancel is seen soon. */
const runOperations = 110e9;
/** Longer runs gain nothing and hold more memory. */
const mostRunTokens = 2048;

/** A decoder with its weights in memory that turns texts into vectors, [hiddenSize] float32, not normalized. */
export class Encoder {
  readonly checkpoint: Checkpoint;
  readonly options: EncoderOptions;
  /** Vectors a text yields: 1, or the number of layers. */
  readonly outputs: number;
  readonly #executable: Executable<string, 'embeddings'>;
  /** The adapter's tensors. */
  readonly #adapter: Readonly<Record<string, TensorData>>;
  readonly #runBudget: number;

  private constructor(checkpoint: Checkpoint, options: EncoderOptions, executable: Executable<string, 'embeddings'>) {
    const layers = options.layers ?? checkpoint.config.numHiddenLayers;
    this.checkpoint = checkpoint;
    this.options = options;
    this.outputs = options.output === 'every' ? layers : 1;
    this.#executable = executable;
    this.#adapter = adapterFeeds(checkpoint, layers);
    this.#runBudget = Math.min(mostRunTokens, Math.ceil(runOperations / operationsPerToken(checkpoint.config, layers)));
  }

  /** Errors: USAGE for a depth or a length the model or its adapter does not have, ENGINE, NOT_FOUND. */
  static async open(engine: Engine, checkpoint: Checkpoint, options: EncoderOptions): Promise<Encoder> {
    const { config } = checkpoint;
    const layers = options.layers ?? config.numHiddenLayers;
    if (!Number.isInteger(layers) || layers < 1 || layers > config.numHiddenLayers)
      throw errors.usage(`The model has ${config.numHiddenLayers} layers: ${layers} cannot be used.`);
    if (!Number.isInteger(options.maxLength) || options.maxLength < 1 || options.maxLength > config.maxPositionEmbeddings)
      throw errors.usage(
        `A length of ${options.maxLength} tokens is not possible: the model reads 1 to ${config.maxPositionEmbeddings}.`,
      );
    checkAdapter(checkpoint, layers);
    return new Encoder(checkpoint, options, await engine.compile(program(checkpoint, layers, options)));
  }

  /** The same encoder, over the same weights in memory, with other numbers in its adapter. One `dispose` ends both. */
  withParameters(parameters: LoraParameters): Encoder {
    const { adapter } = this.checkpoint;
    if (adapter === undefined) throw new TypeError('An encoder without an adapter has no parameters to change');
    return new Encoder({ ...this.checkpoint, adapter: { ...adapter, parameters } }, this.options, this.#executable);
  }

  /** Tokenizes a text and marks what is pooled. Errors: NOTHING_TO_POOL. */
  prepare(input: EncoderInput): EncoderText {
    return prepareText(this.checkpoint.tokenizer, input, this.options.maxLength);
  }

  /**
   * Encodes texts in runs of similar length, longest first, yielding each as it is done; the event loop turns between
   * them. A text's vector does not depend on its neighbours. Errors: CANCELLED, ENGINE, NOT_FINITE.
   *
   * @param mostTokens asked before each run, which then holds no more than that, or a single text
   */
  async *runs(texts: readonly EncoderText[], signal?: AbortSignal, mostTokens?: () => number): AsyncGenerator<EncodedRun, void> {
    const plan = planRuns(
      texts.map((text) => text.ids.length),
      this.#runBudget,
    );
    for (const planned of plan) {
      for (let start = 0; start < planned.length; ) {
        await setImmediate();
        throwIfCancelled(signal);
        const longest = texts[planned[start]!]!.ids.length;
        const most = mostTokens === undefined ? planned.length : Math.max(1, Math.floor(mostTokens() / longest));
        const run = planned.slice(start, start + most);
        start += run.length;
        yield await this.#run(run, texts);
      }
    }
  }

  async #run(run: Run, texts: readonly EncoderText[]): Promise<EncodedRun> {
    const batch = run.map((place) => texts[place]!);
    const { embeddings } = await this.#executable.run({ ...textFeeds(this.checkpoint.config, this.options, [batch]), ...this.#adapter });
    this.#checkFinite(embeddings.data, batch.length);
    return {
      texts: run,
      embeddings: embeddings.data,
      tokens: batch.reduce((sum, text) => sum + text.ids.length, 0),
      computed: batch.length * batch[0]!.ids.length,
    };
  }

  /** Encodes texts and gathers their vectors, [outputs, texts, hiddenSize] row-major, in the order of `texts`. */
  async encode(texts: readonly EncoderText[], signal?: AbortSignal, onRun?: (run: EncodedRun) => void): Promise<Float32Array> {
    const size = this.checkpoint.config.hiddenSize;
    const gathered = new Float32Array(this.outputs * texts.length * size);
    for await (const run of this.runs(texts, signal)) {
      const count = run.texts.length;
      for (let output = 0; output < this.outputs; output++) {
        run.texts.forEach((place, i) => {
          const from = (output * count + i) * size;
          gathered.set(run.embeddings.subarray(from, from + size), (output * texts.length + place) * size);
        });
      }
      onRun?.(run);
    }
    return gathered;
  }

  async dispose(): Promise<void> {
    await this.#executable.dispose();
  }

  #checkFinite(embeddings: Float32Array, rows: number): void {
    const at = embeddings.findIndex((x) => !Number.isFinite(x));
    if (at < 0) return;
    const layer = Math.floor(at / (rows * this.checkpoint.config.hiddenSize)) + 1;
    const where = this.options.output === 'every' ? `layer ${layer}` : 'its last layer';
    throw errors.notFinite(
      `The model "${this.checkpoint.name}" gives numbers that are not finite at ${where}: its weights are damaged; fetch or make it again.`,
    );
  }
}

/** The encoder as a program: only vectors leave it, and an adapter is an input. */
function program(checkpoint: Checkpoint, layers: number, { attention, output, precision }: EncoderOptions): Program<string, 'embeddings'> {
  const { adapter, config } = checkpoint;
  const prefix = findPrefix(checkpoint.tensors);
  const modules = adapterModules(checkpoint, layers);
  const unrounded = unroundedProjections(config, layers);
  return {
    inputs: { ...textInputs(config, attention), ...(adapter && loraInputs(modules, adapter.lora.rank)) },
    weights: checkpoint.quantized ?? checkpoint.tensors,
    build: <T>(ops: Ops<T>, inputs: Readonly<Record<string, T>>, weight: (name: string) => T) => {
      const named = (name: string): T => weight(prefix + name);
      const adapted = adapter && loraAdapt(ops, modules, adapter.lora, (name) => inputs[name]!);
      const adapt: Adapt<T> | undefined = precision !== 'int8' ? adapted : (name, x, matrix) => adapted?.(name, x, matrix) ?? (unrounded.has(name) ? undefined : ops.roundedLinear(x, matrix));
      const pooled = pooledLayers(ops, config, inputs, named, { layers, output, adapt }).map((layer) => ops.transpose(layer, [1, 0, 2]));
      return { embeddings: ops.concat(pooled, 0) }; // [L,B,D]
    },
  };
}

function adapterModules({ adapter, config }: Checkpoint, layers: number): LoraModule[] {
  return adapter === undefined ? [] : loraModules(config, layers, adapter.lora.targets);
}

function adapterFeeds(checkpoint: Checkpoint, layers: number): Record<string, TensorData> {
  const { adapter } = checkpoint;
  return adapter === undefined ? {} : loraFeeds(adapterModules(checkpoint, layers), adapter.lora.rank, adapter.parameters);
}

/** An adapter may be of fewer layers than its model. Errors: USAGE. */
function checkAdapter(checkpoint: Checkpoint, layers: number): void {
  const missing = adapterModules(checkpoint, layers).find((module) => !checkpoint.adapter!.parameters.has(parameterNames(module).A));
  if (missing !== undefined) throw errors.usage(`The adapter has nothing for ${missing.name}: use as many layers of ${checkpoint.name} as it was trained for.`);
}

/** Multiplications and additions of the linear layers for one token, in float operations. */
export function operationsPerToken(config: DecoderConfig, layers: number): number {
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads, intermediateSize } = config;
  const attention = hiddenSize * headDim * (2 * numAttentionHeads + 2 * numKeyValueHeads);
  return 2 * layers * (attention + 3 * hiddenSize * intermediateSize);
}

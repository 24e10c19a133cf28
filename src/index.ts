/**
 * L³Prune for other programs: what the command line does, as functions. Paths and names are taken as there (`model` is a
 * folder, a `.gguf` or `.safetensors` file, a hub id or `smollm2-135m-q4_1`), settings left out are the model's own, and
 * every failure is an `L3PruneError` with a code and one sentence.
 */
import { applyCalibration, type Calibration, type CalibrationKind, type Role } from './encoder/calibration.ts';
import { Encoder } from './encoder/encoder.ts';
import { roleOf, withOwnPrompt, type RoleInput } from './encoder/prompt.ts';
import type { Device } from './engine/open.ts';
import type { EngineChoice } from './engine/select.ts';
import type { Attention, EncoderSettings, Pooling } from './encoder/settings.ts';
import { checkFolderTarget } from './files.ts';
import { given } from './given.ts';
import { dataHome } from './home.ts';
import { askWorkspace } from './index/ask.ts';
import type { IndexEncoderRequest } from './index/encoder.ts';
import { encoderRequest } from './index/encoder-request.ts';
import type { FileRules } from './index/files/types.ts';
import type { SearchAnswer, SearchHit, SearchRequest } from './index/search/search.ts';
import { WorkspaceIndex, type IndexProgress, type IndexResult } from './index/update/update.ts';
import type { ByteProgress } from './models/types.ts';
import { readCalibration } from './prune/calibration.ts';
import { defaultSettings } from './prune/checkpoint-settings.ts';
import type { LossCurve, ProfileProgress, ProfileSettings } from './prune/curve.ts';
import { loadTriplets, openModelFor, profileRequestFor } from './prune/inputs.ts';
import type { CheckpointSummary, Depth } from './prune/job.ts';
import { manifestFile, readManifest } from './prune/manifest.ts';
import { calibrateAt } from './prune/measure-calibration.ts';
import { measurementsFor } from './prune/measurements.ts';
import { profile as measure } from './prune/profile.ts';
import { layersToKeep, pruneCheckpoint } from './prune/prune.ts';
import type { TrainDepth, TrainJob, TrainProgress, TrainResult } from './train/job.ts';
import { runTrainJob } from './train/run.ts';

export { CancelledError, L3PruneError } from './errors.ts';
export type { Attention, ByteProgress, CalibrationKind, CheckpointSummary, Depth, Device, EngineChoice, IndexProgress, IndexResult, LossCurve, Pooling, ProfileProgress, ProfileSettings, Role, RoleInput };
export type { SearchAnswer, SearchHit, TrainDepth, TrainJob, TrainProgress, TrainResult };

/** What every function takes. */
export interface CommonOptions {
  /** Where models and caches are kept; `L3PRUNE_HOME`, else the system's user-data folder, when left out. */
  readonly home?: string;
  /** Threads of a matrix product; as many as the machine has cores when left out. */
  readonly threads?: number;
  /** What computes; the fastest that is there when left out. */
  readonly engine?: EngineChoice;
  /** The CPU or a GPU; the engine's own choice when left out. */
  readonly device?: Device;
  /** Stops the work between two runs of the engine, with a `CancelledError`. */
  readonly signal?: AbortSignal;
  /** Told of what is fetched or converted before the model can be used. */
  readonly onModel?: (progress: ByteProgress) => void;
}

export interface ProfileOptions extends CommonOptions, Partial<ProfileSettings> {
  /** Measure the first so many layers, as if the model had no more. */
  readonly layers?: number;
  readonly onProgress?: (progress: ProfileProgress) => void;
}

/**
 * Measures the contrastive loss at every layer on triplets: a `.jsonl`(`.gz`) file or a folder of them.
 * Errors: NOT_FOUND, BAD_DATA, NOT_FINITE, those of opening a model, CANCELLED.
 */
export async function profile(model: string, data: string, options: ProfileOptions = {}): Promise<LossCurve> {
  const opened = await open(model, options);
  const { request, rows } = await profileInputs(opened, data, options);
  return ended(measure(opened.engine, opened.checkpoint, rows, request, { signal: options.signal }), options.onProgress);
}

export interface PruneOptions extends Omit<ProfileOptions, 'layers'> {
  /** Where to cut. `small` and `large` need `curve` or `data`. */
  readonly depth: Depth;
  /** The checkpoint folder to write. */
  readonly out: string;
  /** A curve that `profile` measured on this model. */
  readonly curve?: LossCurve;
  /** Triplets to measure the calibration on, and the curve where the depth is read from one and none is given. */
  readonly data?: string;
  /** The mean that is taken off every vector: one, one a role, or none; `mean` where there is data. */
  readonly calibrate?: CalibrationKind | 'none';
  /** Leading principal components that are taken off as well; 1 with one mean and 0 with two when left out. */
  readonly components?: number;
  /** What stands before every query of this encoder. */
  readonly instruction?: string;
  /** Replace a checkpoint that is already there. */
  readonly force?: boolean;
}

/**
 * Cuts a model after its first layers and writes it as a Hugging Face folder, which appears whole or not at all.
 * Errors: USAGE, EXISTS, WRITE_FAILED, NOT_FINITE, those of `profile` where it measures, CANCELLED.
 */
export async function prune(model: string, options: PruneOptions): Promise<CheckpointSummary> {
  const { depth, out, data, instruction, force, signal } = options;
  const wanted = measurementsFor({ ...options, hasCurve: options.curve !== undefined, hasData: data !== undefined });
  await checkFolderTarget(out, { force, marker: manifestFile });
  const opened = await open(model, options);
  const { layers: _, ...profiling }: ProfileOptions = options;
  const encoder = { ...(await settingsFor(opened, options)), ...(instruction === undefined ? {} : { instruction }) };
  let curve = options.curve ?? null;
  let calibration: Calibration | undefined;
  if (data !== undefined) {
    const { request, rows } = await profileInputs(opened, data, profiling);
    if (wanted.curve) curve = await ended(measure(opened.engine, opened.checkpoint, rows, request, { signal }), options.onProgress);
    const layers = layersToKeep(depth, opened.checkpoint.config.numHiddenLayers, curve);
    const settings = { ...encoder, maxLength: Math.min(encoder.maxLength, request.maxLength) };
    if (wanted.calibration !== undefined)
      calibration = await ended(calibrateAt(opened.engine, opened.checkpoint, layers, rows.triplets, wanted.calibration, settings, signal));
  }
  return pruneCheckpoint(opened.checkpoint, {
    depth,
    out,
    encoder,
    curve,
    calibration,
    force,
    signal,
  });
}

export interface TrainOptions extends Omit<CommonOptions, 'onModel'>, Omit<TrainJob, 'model' | 'data'> {
  readonly onProgress?: (progress: TrainProgress) => void;
}

/**
 * Trains the first layers of a model as a text encoder on rows of `.jsonl`(`.gz`) files or folders of them; `out` becomes
 * the checkpoint, of several depths a folder each in it. A training that was stopped goes on with `resume`, to the numbers
 * of one that was not. Errors: USAGE, EXISTS, BUSY, OTHER_RUN, TOO_LARGE, DIVERGED, BAD_DATA, those of opening a model,
 * WRITE_FAILED, CANCELLED.
 */
export async function train(model: string, data: string | readonly string[], options: TrainOptions): Promise<TrainResult> {
  const { home, threads, engine, device, signal = new AbortController().signal, onProgress, ...job } = options;
  return ended(runTrainJob({ ...job, model, data: [data].flat() }, { home: dataHome(home), threads, engine, device, signal }), onProgress);
}

export interface EncodeOptions extends CommonOptions, Partial<EncoderSettings> {
  /** Use the first so many layers. */
  readonly layers?: number;
  /** Between instruction and text. */
  readonly separator?: string;
  /** Whether the calibration that a checkpoint keeps is applied; it is when left out. */
  readonly calibrated?: boolean;
}

/**
 * Turns texts into vectors of the model's hidden size, in the order of the texts and not normalized: those that
 * sentence-transformers gives for a checkpoint, whose calibration is applied at its own depth, attention and pooling. A
 * text in the role `query` gets the instruction that the checkpoint keeps; one without a role is a query where it has an
 * instruction of its own, and a document otherwise. A text's vector does not depend on the texts beside it. Errors: USAGE, NOTHING_TO_POOL, NOT_FINITE, those of opening a model, CANCELLED.
 */
export async function encode(
  model: string,
  texts: ReadonlyArray<string | RoleInput>,
  options: EncodeOptions = {},
): Promise<Float32Array[]> {
  const opened = await open(model, options);
  const { checkpoint, engine } = opened;
  const settings = await settingsFor(opened, options);
  const layers = options.layers ?? checkpoint.config.numHiddenLayers;
  const calibration =
    options.calibrated === false ? undefined : await readCalibration(checkpoint, await readManifest(checkpoint.directory), { ...settings, layers });
  const inputs = texts.map((text): RoleInput => (typeof text === 'string' ? { text } : text));
  const encoder = await Encoder.open(engine, checkpoint, { ...settings, layers, output: 'last' });
  try {
    const vectors = await encoder.encode(inputs.map((input) => encoder.prepare(withOwnPrompt(input, settings))), options.signal);
    const size = checkpoint.config.hiddenSize;
    const plain = texts.map((_, i) => vectors.slice(i * size, (i + 1) * size));
    return calibration === undefined ? plain : plain.map((vector, i) => applyCalibration(calibration, roleOf(inputs[i]!), [vector])[0]!);
  } finally {
    await encoder.dispose();
  }
}

/** What is said of a workspace's index, and kept with it. */
interface WorkspaceOptions extends Omit<CommonOptions, 'onModel'>, Partial<IndexEncoderRequest>, Partial<FileRules> {
  /** Embed also while a training runs, or on battery. */
  readonly regardless?: boolean;
  readonly onProgress?: (progress: IndexProgress) => void;
}

export interface IndexOptions extends WorkspaceOptions {
  /** Files and folders that may have changed, from the workspace's root; everything is looked at when left out. */
  readonly changed?: readonly string[];
}

/**
 * Brings the index of a workspace up to date, words first and then the vectors of `model`, or of the encoder that the
 * workspace has. Nothing is written into the workspace.
 * Errors: NOT_FOUND, USAGE, BUSY (another process keeps it up to date), UNSUPPORTED, WRITE_FAILED, those of opening a model, CANCELLED.
 */
export async function index(workspace: string, options: IndexOptions = {}): Promise<IndexResult> {
  const encoder = encoderRequest(options);
  const opened = await WorkspaceIndex.open(workspace, indexOptionsOf(options));
  try {
    return await ended(opened.update(encoder, options.changed), options.onProgress);
  } finally {
    await opened.close();
  }
}

export interface SearchOptions extends WorkspaceOptions, Omit<Partial<SearchRequest>, 'query'> {
  /** Whether what has changed is looked for first; it is when left out. */
  readonly update?: boolean;
}

/**
 * Finds code of a workspace by what it does or by words in it, best first; 10 hits, by words and by meaning, when nothing
 * else is said. What cannot be done of it is said in the notes of the answer.
 * Errors: NOT_FOUND, USAGE, BUSY, BAD_INDEX, UNSUPPORTED, CANCELLED.
 */
export async function search(workspace: string, query: string, options: SearchOptions = {}): Promise<SearchAnswer> {
  const { limit = 10, mode = 'hybrid', languages, paths, kinds, isCode, except, update = true } = options;
  const request = { query, limit, mode, languages, paths, kinds, isCode, except };
  return ended(askWorkspace(workspace, request, { ...indexOptionsOf(options), encoder: encoderRequest(options), update }), options.onProgress);
}

function indexOptionsOf({ home, threads, engine, device, signal, include, exclude, gitignore, mostBytes, regardless = false }: WorkspaceOptions) {
  return { home: dataHome(home), threads, engine, device, signal, regardless, rules: given({ include, exclude, gitignore, mostBytes }) };
}

type Opened = Awaited<ReturnType<typeof openModelFor>>;

function open(model: string, { home, threads, engine, device, signal, onModel }: CommonOptions): Promise<Opened> {
  return openModelFor(model, { home: dataHome(home), threads, engine, device, signal, onProgress: onModel });
}

/** What a profile with these options is of: the settings and the rows. */
async function profileInputs({ checkpoint }: Opened, data: string, options: ProfileOptions) {
  const { batchSize, batches, layers, maxLength, attention, pooling, separator, scale, seed, order, signal } = options;
  const wanted = { batchSize, batches, layers, maxLength, attention, pooling, separator, scale, seed, order };
  const request = await profileRequestFor(checkpoint, wanted);
  return { request, rows: await loadTriplets(data, request, signal) };
}

/** Runs something that reports its progress to its end. */
async function ended<P, R>(running: AsyncGenerator<P, R>, onProgress?: (progress: P) => void): Promise<R> {
  let step = await running.next();
  for (; !step.done; step = await running.next()) onProgress?.(step.value);
  return step.value;
}

/** The model's own settings, with those that were given over them. */
async function settingsFor({ checkpoint }: Opened, { attention, pooling, maxLength, separator }: Partial<ProfileSettings>) {
  return { ...(await defaultSettings(checkpoint)), ...given({ attention, pooling, maxLength, separator }) };
}

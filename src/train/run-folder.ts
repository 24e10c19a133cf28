import { access, constants, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, removeEmpty, removeStale, writeFileAtomically } from '../files.ts';
import { acquireLock } from '../lock.ts';
import { parseJson } from '../models/json.ts';
import { trainingDescription } from '../prune/checkpoints.ts';
import { depthSchema, encoderSettings, lossCurve, manifestFile, readManifest, type Manifest } from '../prune/manifest.ts';
import { trainingSettings } from './settings.ts';

const count = z.number().int().min(0);

/** What a run was begun with. */
const runSchema = z.object({
  format: z.literal(1),
  createdBy: z.string(),
  created: z.string(),
  model: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
  /** Fingerprint of the adapter that was gone on from; null for a new one. */
  adapter: z.string().nullable(),
  data: z.object({ fingerprint: z.string(), rows: count, rejected: count, repeated: count }),
  depth: depthSchema,
  settings: trainingSettings,
  evaluation: z.object({ fingerprint: z.string(), metric: z.enum(['loss', 'ndcgAt10']), every: count, earlyStop: count.nullable() }).nullable(),
  /** Most padded tokens in one run of the engine: with another number the last digits are others. */
  runTokens: count,
  engine: z.object({ name: z.enum(['onnx', 'tensorflow']), threads: z.number().nullable(), device: z.enum(['auto', 'cpu', 'webgpu']).default('auto') }),
  /** What queries without an instruction of their own are trained with; null for that of their data set. */
  instruction: z.string().nullable(),
  /** How the checkpoint will encode. */
  encoder: encoderSettings,
  /** The curve that the depth was read from. */
  curve: lossCurve.nullable(),
});

export type RunDescription = z.infer<typeof runSchema>;

/** The files of a run that is not finished, inside the folder that becomes its checkpoint. */
export class RunFolder {
  readonly out: string;

  constructor(out: string) {
    this.out = resolve(out);
  }

  get name(): string {
    return basename(this.out);
  }
  /** What a run needs to go on; it goes when the checkpoint is there. */
  get training(): string {
    return join(this.out, trainingFolder);
  }
  /** The frozen weights in few bits, of a run that computes with such. */
  get base(): string {
    return join(this.training, 'base.bin');
  }
  get metrics(): string {
    return join(this.out, metricsFile);
  }
  get rejected(): string {
    return join(this.out, rejectedFile);
  }
  /** The last good parameters of a run that diverged, as an adapter to go on from. */
  get goodAdapter(): string {
    return join(this.training, 'adapter');
  }
  get #description(): string {
    return join(this.out, trainingDescription);
  }

  /** The unfinished run in the folder. Errors: BAD_MANIFEST where it is damaged. */
  async read(): Promise<RunDescription | undefined> {
    const text = await readFile(this.#description, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw errors.notFound(`${this.#description} cannot be read: ${reason(error)}.`, error);
    });
    if (text === undefined) return undefined;
    try {
      return runSchema.parse(parseJson(text));
    } catch (error) {
      throw errors.badManifest(`${this.#description} is damaged: begin the run again with --force.`, error);
    }
  }

  /** Errors: WRITE_FAILED. */
  async write(description: RunDescription): Promise<void> {
    await writeFileAtomically(this.#description, `${JSON.stringify(description, null, 2)}\n`);
  }

  /** The finished checkpoint in the folder. Errors: BAD_MANIFEST. */
  async finished(): Promise<Manifest | undefined> {
    return readManifest(this.out);
  }

  /** Removes an unfinished run, but for the lock. Errors: WRITE_FAILED. */
  async clear(): Promise<void> {
    const names = await readdir(this.training).catch(() => []);
    // What names the others goes first: nothing without it counts as a run.
    for (const name of names.toSorted((a) => (a === basename(this.#description) ? -1 : 1))) {
      if (name !== lockFile && ownFiles.test(name)) await rm(join(this.training, name), { recursive: true, force: true });
    }
  }

  /**
   * Sees whether a run that was asked for in this way may have the folder, and changes nothing but for what a process
   * that was killed while it replaced the folder has left. Errors: EXISTS, WRITE_FAILED.
   */
  async check({ resume = false, force = false }: { readonly resume?: boolean | undefined; readonly force?: boolean | undefined }): Promise<void> {
    await removeStale(this.out);
    await checkWritable(this.out);
    const found = await stat(this.out).catch(() => undefined);
    if (found === undefined) return;
    if (!found.isDirectory()) throw errors.exists(`${this.out} is a file: name a folder that does not exist yet.`);
    await this.checkOwn();
    const hasRun = (await stat(this.#description).catch(() => undefined)) !== undefined;
    const isCheckpoint = (await readdir(this.out)).includes(manifestFile);
    if ((!hasRun && !isCheckpoint) || resume || force) return;
    if (hasRun) throw errors.exists(`${this.out} holds a training that is not finished: go on with it by --resume, or begin again by --force.`);
    throw errors.exists(`${this.out} exists already: name another folder, or replace it with --force.`);
  }

  /**
   * Sees that the folder, which the checkpoint will take the place of, holds nothing of anybody else's; in that of a
   * finished checkpoint whatever lies beside it is part of it. Errors: EXISTS.
   */
  async checkOwn(): Promise<void> {
    const names = await readdir(this.out);
    const own = names.includes(manifestFile) ? [] : names.filter((name) => !beside.test(name));
    const inside = (await readdir(this.training).catch(() => [])).filter((name) => !ownFiles.test(name)).map((name) => join(trainingFolder, name));
    const foreign = [...own, ...inside];
    if (foreign.length === 0) return;
    throw errors.exists(`${this.out} holds other things than a training (${foreign.slice(0, mostNamed).join(', ')}) and is left alone: move them elsewhere, or name another folder.`);
  }

  /** Makes the folders of the run and locks them; gives what unlocks them and removes those that stayed empty. Errors: BUSY, WRITE_FAILED. */
  async lock(): Promise<() => Promise<void>> {
    const firstMade = await mkdir(this.training, { recursive: true }).catch((error: unknown) => {
      throw errors.writeFailed(`${this.out} cannot be written: ${reason(error)}.`, error);
    });
    const unlock = await acquireLock(join(this.training, lockFile), (pid) =>
      errors.busy(`Another process (${pid}) is training in ${this.out}: wait for it, or name another folder.`),
    );
    return async () => {
      await unlock();
      if (firstMade !== undefined) await removeEmpty(this.training, firstMade);
    };
  }
}

/** Folders and files of a run that are not the checkpoint's. */
export const trainingFolder = dirname(trainingDescription);
export const metricsFile = 'metrics.jsonl';
/** A line for each row of the data that is left out. */
export const rejectedFile = 'rejected.jsonl';
const lockFile = 'lock';
/** Names that are shown of what lies in the way. */
const mostNamed = 3;
/** A file that is being written. */
const unfinished = String.raw`\..+\.(?:tmp|old)-\d+-[0-9a-f]{8}`;
/** What a run has in its folder, and in that of the checkpoint-to-be. */
const ownFiles = new RegExp(String.raw`^(?:lock|run\.json|state\.json|(?:state|best)-\d+\.safetensors|negatives-\d+-\d+\.json|base\.bin|adapter|${unfinished})$`);
const beside = new RegExp(`^(?:${trainingFolder}|${metricsFile}|${rejectedFile}|${unfinished})$`);

/** Sees that something can be written at a path, before hours are spent on it. Errors: WRITE_FAILED. */
async function checkWritable(path: string): Promise<void> {
  for (let folder = path; ; folder = dirname(folder)) {
    const error = await access(folder, constants.W_OK).then(() => undefined, (failure: NodeJS.ErrnoException) => failure);
    if (error === undefined) return;
    if (error.code !== 'ENOENT' || dirname(folder) === folder) throw errors.writeFailed(`${path} cannot be written: ${reason(error)}.`, error);
  }
}

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parameterNames, type LoraModule } from '../encoder/lora.ts';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';
import { parseJson } from '../models/json.ts';
import { float32Source, readSafetensors, readTensor, writeSafetensors } from '../models/safetensors.ts';
import type { LoraParameters, StoredTensor } from '../models/types.ts';
import type { AdamWState } from './adamw.ts';
import { emptyWatch } from './divergence.ts';

/** Where a run stands after so many steps: all that the next step depends on, beside settings and data. */
export interface TrainingState {
  readonly step: number;
  readonly parameters: LoraParameters;
  readonly optimizer: AdamWState;
}

const count = z.number().int().min(0);
const evaluated = z.object({ step: count, value: z.number() });

/** What has been learned about a run on the way, which decides how it goes on and what is kept of it. */
const history = z.object({
  watch: z.object({
    recent: z.array(z.number()).readonly(),
    lowest: z.number().nullable(),
    gradients: z.array(z.number()).readonly().default([]),
    largestGradient: z.number().default(0),
  }),
  /** What the evaluations said; null before the first. `withoutGain` counts those since the best. */
  evaluation: z.object({ before: z.number(), best: evaluated.nullable(), last: evaluated.nullable(), withoutGain: count }).nullable(),
});
export type RunHistory = z.infer<typeof history>;

/** The file that names the others: what it does not name is left from a process that was killed. */
const stateFile = 'state.json';
const schema = z.object({
  step: count,
  /** The last step that may be gone back to when the run goes wrong. */
  goodStep: count,
  history,
});

const stateTensors = (step: number): string => `state-${step}.safetensors`;
const bestTensors = (step: number): string => `best-${step}.safetensors`;
const kinds = ['parameters', 'first', 'second'] as const;

/** A saved run. */
export interface SavedState {
  readonly state: TrainingState;
  readonly history: RunHistory;
  readonly goodStep: number;
}

/** The files in which a run keeps where it stands, so that a process killed at any moment leaves this state or the one before. */
export class StateFolder {
  readonly #folder: string;
  readonly #shapes: ReadonlyArray<{ readonly name: string; readonly shape: readonly [number, number] }>;

  constructor(folder: string, rank: number, modules: readonly LoraModule[]) {
    this.#folder = folder;
    this.#shapes = modules.flatMap((module) => {
      const { A, B } = parameterNames(module);
      return [
        { name: A, shape: [rank, module.inputs] as const },
        { name: B, shape: [module.outputs, rank] as const },
      ];
    });
  }

  /**
   * Saves a state: tensors under names of their own, then the small file that names them. `goodStep` is its own step or
   * one saved before; the tensors of the best evaluation have to be there already (`saveBest`). Errors: WRITE_FAILED.
   */
  async save({ state, history, goodStep }: SavedState): Promise<void> {
    const { step, parameters, optimizer } = state;
    const sets = { parameters, first: optimizer.first, second: optimizer.second };
    await writeSafetensors(join(this.#folder, stateTensors(step)), kinds.flatMap((kind) => this.#sources(sets[kind], `${kind}.`)));
    await this.#name({ step, goodStep, history });
  }

  /** Keeps the parameters of the evaluation that was the best so far. The next `save` names them. Errors: WRITE_FAILED. */
  async saveBest(step: number, parameters: LoraParameters): Promise<void> {
    await writeSafetensors(join(this.#folder, bestTensors(step)), this.#sources(parameters));
  }

  /** Makes the last good state the one that the run stands at. Errors: as `read` and `save`. */
  async goBack(): Promise<TrainingState> {
    const { goodStep, history } = (await this.#named())!;
    const state = await this.#state(goodStep);
    await this.#name({ step: goodStep, goodStep, history: { ...history, watch: emptyWatch } });
    return state;
  }

  /** The state that was saved last; undefined where none was. Errors: BAD_MANIFEST where the files are damaged. */
  async read(): Promise<SavedState | undefined> {
    const named = await this.#named();
    if (named === undefined) return undefined;
    const { step, goodStep, history } = named;
    return { state: await this.#state(step), history, goodStep };
  }

  /** The parameters of the best evaluation. Errors: as `read`. */
  async readBest(step: number): Promise<LoraParameters> {
    return this.#tensors(bestTensors(step), await this.#stored(bestTensors(step)));
  }

  async #named(): Promise<z.infer<typeof schema> | undefined> {
    const path = join(this.#folder, stateFile);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
    });
    if (text === undefined) return undefined;
    try {
      return schema.parse(parseJson(text));
    } catch (error) {
      throw this.#damaged(`${stateFile} is not what it should be`, error);
    }
  }

  async #name(named: z.infer<typeof schema>): Promise<void> {
    await writeFileAtomically(join(this.#folder, stateFile), `${JSON.stringify(named)}\n`);
    const { step, goodStep, history } = named;
    const kept = new Set([stateTensors(step), stateTensors(goodStep), bestTensors(history.evaluation?.best?.step ?? -1)]);
    for (const name of await readdir(this.#folder)) {
      if (/^\.?(state|best)-\d+\.safetensors/.test(name) && !kept.has(name)) await rm(join(this.#folder, name), { force: true });
    }
  }

  async #state(step: number): Promise<TrainingState> {
    const file = stateTensors(step);
    const stored = await this.#stored(file);
    const [parameters, first, second] = await Promise.all(kinds.map((kind) => this.#tensors(file, stored, `${kind}.`)));
    return { step, parameters: parameters!, optimizer: { step, first: first!, second: second! } };
  }

  async #stored(file: string): Promise<ReadonlyMap<string, StoredTensor>> {
    return readSafetensors(join(this.#folder, file)).catch((error: unknown) => {
      throw this.#damaged(`${file} cannot be read`, error);
    });
  }

  async #tensors(file: string, stored: ReadonlyMap<string, StoredTensor>, before = ''): Promise<LoraParameters> {
    const tensors = new Map<string, Float32Array>();
    for (const { name, shape } of this.#shapes) {
      const tensor = stored.get(before + name);
      if (tensor === undefined || tensor.shape.join() !== shape.join()) throw this.#damaged(`${file} does not hold ${before}${name}`);
      tensors.set(name, await readTensor(tensor));
    }
    return tensors;
  }

  #sources(tensors: LoraParameters, before = '') {
    return this.#shapes.map(({ name, shape }) => float32Source(before + name, shape, tensors.get(name)!));
  }

  #damaged(why: string, cause?: unknown): Error {
    return errors.badManifest(`The state of the run in ${this.#folder} is damaged (${why}): start the run again with --force.`, cause);
  }
}

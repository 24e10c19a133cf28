import { mkdir } from 'node:fs/promises';
import type { TrainingData } from '../data/training.ts';
import type { Triplet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { writeAdapter } from '../encoder/adapter.ts';
import type { LoraModule } from '../encoder/lora.ts';
import { CancelledError, errors, L3PruneError } from '../errors.ts';
import { residentBytes } from '../memory.ts';
import type { Checkpoint, LoraParameters } from '../models/types.ts';
import { emptyWatch, hasCollapsed, hasDiverged, isHealthy, watchLoss } from './divergence.ts';
import { isBetter, type EvaluationData, type Evaluator } from './evaluation.ts';
import type { TrainProgress } from './job.ts';
import { initialState, trainedModel, trainSteps, type BatchSource } from './loop.ts';
import { MetricsFile, type StepEvaluation, type StepMetrics } from './metrics.ts';
import { MinedNegatives } from './mined-negatives.ts';
import { Pace } from './pace.ts';
import { modulesOf } from './programs.ts';
import type { RunDescription, RunFolder } from './run-folder.ts';
import { loraOf } from './settings.ts';
import { StateFolder, type RunHistory, type SavedState, type TrainingState } from './state.ts';

/** What a run is made of. */
export interface RunInputs {
  readonly engine: Engine;
  readonly checkpoint: Checkpoint;
  readonly data: TrainingData;
  readonly folder: RunFolder;
  readonly description: RunDescription;
  /** What the adapter begins with; a new one when undefined. */
  readonly start: LoraParameters | undefined;
  readonly evaluation: EvaluationData | undefined;
  /** Steps between two saves. */
  readonly saveEvery: number;
  readonly signal?: AbortSignal | undefined;
}

/** A run that has come to its end. */
export interface FinishedRun {
  /** Those that are kept: of the best evaluation, or of the last step. */
  readonly parameters: LoraParameters;
  readonly modules: readonly LoraModule[];
  /** The step that they are of, and how many were done. */
  readonly step: number;
  readonly steps: number;
  readonly history: RunHistory;
  readonly metrics: readonly StepMetrics[];
}

/** Beside every so many steps, a run is saved after so much time. */
const saveSeconds = 120;

/**
 * Runs a training from where its folder stands to its end and keeps what it needs to go on from there: state, metrics,
 * the best parameters. A process that is killed, or cancelled, loses at most the steps since the last save and goes on
 * with the very numbers of one that was not.
 *
 * Errors: DIVERGED, WRITE_FAILED, BAD_MANIFEST, ENGINE, BAD_DATA, CANCELLED; the run can go on after all but the first.
 */
export async function* trainRun(inputs: RunInputs): AsyncGenerator<TrainProgress, FinishedRun> {
  const run = new Run(inputs);
  try {
    return yield* run.toItsEnd();
  } finally {
    await run.dispose();
  }
}

class Run {
  readonly #inputs: RunInputs;
  readonly #modules: readonly LoraModule[];
  readonly #states: StateFolder;
  readonly #metricsFile: MetricsFile;
  readonly #pace = new Pace();
  readonly #mined: MinedNegatives | undefined;
  #metrics: StepMetrics[] = [];
  #evaluator: Evaluator | undefined;
  /** The last whole step: what is saved when the run has to stop. */
  #whole!: SavedState;
  #savedStep = -1;
  #savedAt = performance.now();
  /** Documents a query in the last step. */
  #candidates = 2;

  constructor(inputs: RunInputs) {
    const { checkpoint, description: { settings }, folder } = inputs;
    this.#inputs = inputs;
    this.#modules = modulesOf(trainedModel(checkpoint, settings));
    this.#states = new StateFolder(folder.training, settings.loraRank, this.#modules);
    this.#metricsFile = new MetricsFile(folder.metrics);
    const { engine, data, signal } = inputs;
    const after = settings.modelNegativesAfter;
    const rows = (step: number): Promise<readonly Triplet[]> => data.batch(step);
    if (after !== null) this.#mined = new MinedNegatives(after, { engine, model: trainedModel(checkpoint, settings), settings, folder: folder.training, rows, signal });
  }

  async *toItsEnd(): AsyncGenerator<TrainProgress, FinishedRun> {
    const { engine, checkpoint, data, description: { settings, runTokens }, signal } = this.#inputs;
    yield* this.#begin();
    if (!this.#hasStoppedEarly) {
      const batches: BatchSource = (step, parameters) => this.#mined?.batch(step, parameters) ?? data.batch(step);
      const steps = trainSteps(engine, checkpoint, batches, settings, { runTokens, from: this.#whole.state, signal });
      try {
        for await (const { metrics, state, candidates } of steps) {
          this.#candidates = candidates;
          yield* this.#finishStep(metrics, state);
          if (this.#hasStoppedEarly) break;
        }
      } catch (error) {
        throw await this.#stopped(error);
      }
    }
    if (this.#savedStep !== this.#whole.state.step) yield await this.#save();
    return await this.#finish();
  }

  async dispose(): Promise<void> {
    await this.#evaluator?.dispose();
    await this.#mined?.dispose();
  }

  async *#begin(): AsyncGenerator<TrainProgress, void> {
    const { checkpoint, folder, description: { settings, adapter }, start } = this.#inputs;
    const saved = await this.#states.read();
    this.#metrics = await this.#metricsFile.keep(saved?.state.step ?? 0);
    if (saved === undefined) {
      if (adapter !== null && start === undefined) throw errors.otherRun(`The training in ${folder.out} was begun from an adapter that it has not kept yet: name it by --adapter.`);
      const state = initialState(trainedModel(checkpoint, settings), settings.seed, start);
      this.#whole = { state, goodStep: 0, history: { watch: emptyWatch, evaluation: null } };
      // What it begins with is kept before anything takes time: a run that goes on may not have been told of it.
      yield await this.#save();
    } else {
      this.#whole = saved;
      this.#savedStep = saved.state.step;
    }
    const { state, history } = this.#whole;
    if (history.evaluation !== null) return;
    const before = yield* this.#evaluate(state);
    if (before === undefined) return;
    this.#whole = { ...this.#whole, history: { ...history, evaluation: { before: before.value, best: null, last: null, withoutGain: 0 } } };
    yield await this.#save();
  }

  async *#finishStep(metrics: StepMetrics, state: TrainingState): AsyncGenerator<TrainProgress, void> {
    const { folder, description: { settings: { steps }, evaluation: plan }, saveEvery } = this.#inputs;
    const { step } = state;
    let history: RunHistory = { ...this.#whole.history, watch: watchLoss(this.#whole.history.watch, metrics) };
    if (hasDiverged(history.watch, this.#candidates))
      throw errors.diverged(`The training diverged: at step ${step} it does worse than an encoder that knows nothing, and it had done better.`);
    if (hasCollapsed(history.watch, this.#candidates))
      throw errors.diverged(`The training collapsed: at step ${step} it gives all texts nearly one vector, and its gradients have vanished.`);
    this.#pace.add(metrics.tokens, metrics.seconds);

    const isDue = plan !== null && (step % plan.every === 0 || step === steps);
    const evaluation = isDue ? yield* this.#evaluate(state) : undefined;
    if (evaluation !== undefined) history = await this.#withEvaluation(history, evaluation, state);
    const line = evaluation === undefined ? metrics : { ...metrics, evaluation };
    await this.#metricsFile.append(line);
    this.#metrics.push(line);
    this.#whole = { ...this.#whole, state, history };

    const pausesLeft = plan === null ? 0 : Math.ceil(steps / plan.every) - Math.floor(step / plan.every);
    yield {
      kind: 'step',
      run: folder.name,
      metrics: line,
      steps,
      tokensPerSecond: this.#pace.tokensPerSecond,
      secondsLeft: this.#pace.secondsLeft(steps - step, pausesLeft),
      bytes: residentBytes(),
    };
    const isTime = performance.now() - this.#savedAt > saveSeconds * 1000;
    const isBest = evaluation !== undefined && history.evaluation?.best?.step === step;
    if (isTime || isBest || step % saveEvery === 0 || step === steps) yield await this.#save();
  }

  /** Measures a state, where the run measures at all. */
  async *#evaluate(state: TrainingState): AsyncGenerator<TrainProgress, StepEvaluation | undefined> {
    const { engine, checkpoint, description: { settings, encoder }, evaluation, folder, signal } = this.#inputs;
    if (evaluation === undefined) return undefined;
    const { parameters, step } = state;
    this.#evaluator ??= await evaluation.open(engine, trainedModel(checkpoint, settings), { settings, encoder, parameters });
    const started = performance.now();
    const running = this.#evaluator.evaluate(parameters, signal);
    let next = await running.next();
    for (; !next.done; next = await running.next()) yield { kind: 'evaluate', run: folder.name, ...next.value };
    const seconds = (performance.now() - started) / 1000;
    if (step > 0) this.#pace.addPause(seconds);
    const { metric, value } = next.value;
    const best = step === 0 ? undefined : this.#whole.history.evaluation?.best;
    yield { kind: 'evaluated', run: folder.name, step, metric, value, seconds, isBest: step > 0 && (!best || isBetter(metric, value, best.value)) };
    return next.value;
  }

  async #withEvaluation(history: RunHistory, { metric, value }: StepEvaluation, { step, parameters }: TrainingState): Promise<RunHistory> {
    const { before, best, withoutGain } = history.evaluation!;
    const last = { step, value };
    if (best !== null && !isBetter(metric, value, best.value)) return { ...history, evaluation: { before, best, last, withoutGain: withoutGain + 1 } };
    await this.#states.saveBest(step, parameters);
    return { ...history, evaluation: { before, best: last, last, withoutGain: 0 } };
  }

  get #hasStoppedEarly(): boolean {
    const most = this.#inputs.description.evaluation?.earlyStop ?? null;
    return most !== null && (this.#whole.history.evaluation?.withoutGain ?? 0) >= most;
  }

  async #save(): Promise<TrainProgress> {
    const { step } = this.#whole.state;
    if (isHealthy(this.#whole.history.watch, this.#candidates)) this.#whole = { ...this.#whole, goodStep: step };
    await this.#metricsFile.sync();
    await this.#states.save(this.#whole);
    await this.#mined?.forgetBefore(this.#whole.goodStep);
    this.#savedStep = step;
    this.#savedAt = performance.now();
    return { kind: 'saved', run: this.#inputs.folder.name, step };
  }

  /** Keeps what can be kept of a run that cannot go on, and gives the failure. */
  async #stopped(error: unknown): Promise<unknown> {
    if (!(error instanceof L3PruneError)) return error;
    if (error.code === 'DIVERGED') return errors.diverged(`${error.message} Train again with a lower --lr or a longer --warmup: ${await this.#keepGoodState()}.`, error);
    if (error.code !== 'CANCELLED') return error;
    const { step } = this.#whole.state;
    if (this.#savedStep !== step) await this.#save();
    return new CancelledError(`Cancelled after step ${step} of ${this.#inputs.description.settings.steps}, which is saved: the same command with --resume goes on from there.`);
  }

  /** Goes back to the last good state and writes its adapter, which another run can go on from. */
  async #keepGoodState(): Promise<string> {
    const { checkpoint, folder: { goodAdapter }, description: { settings } } = this.#inputs;
    const { step, parameters } = await this.#states.goBack();
    if (step === 0) return 'nothing was learned before';
    await mkdir(goodAdapter, { recursive: true });
    await writeAdapter(goodAdapter, { lora: loraOf(settings), modules: this.#modules, parameters }, checkpoint.name);
    return `--adapter ${goodAdapter} goes on from step ${step}, the last good one`;
  }

  async #finish(): Promise<FinishedRun> {
    const { state, history } = this.#whole;
    const best = history.evaluation?.best;
    const [step, parameters] = best ? [best.step, await this.#states.readBest(best.step)] : [state.step, state.parameters];
    return { parameters, modules: this.#modules, step, steps: state.step, history, metrics: this.#metrics };
  }
}

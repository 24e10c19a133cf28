import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatBytes, formatDuration } from '../../format.ts';
import { collectFunctions } from '../../data/sources.ts';
import type { FunctionChunk } from '../../data/functions.ts';
import { errors } from '../../errors.ts';
import { mine } from '../../data/mine.ts';
import { minedTriplets, writeTriplets } from '../../data/mine/triplet.ts';
import { rankByCosine } from '../../eval/cosine.ts';
import { DEFAULT_MODEL } from '../../models/default-model.ts';
import type { Checkpoint } from '../../models/types.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { countParameters } from '../../prune/checkpoints.ts';
import type { CheckpointSummary } from '../../prune/job.ts';
import { calibrateAt, defaultCalibration } from '../../prune/measure-calibration.ts';
import { defaultProfile, profile } from '../../prune/profile.ts';
import { layersToKeep, pruneCheckpoint } from '../../prune/prune.ts';
import type { LossCurve } from '../../prune/curve.ts';
import { Random } from '../../random.ts';
import { Bm25 } from '../../text/bm25.ts';
import type { TrainedCheckpoint } from '../../train/job.ts';
import { runTrainJob } from '../../train/run.ts';
import { openNamedModel } from '../model.ts';
import { homeOf, homeOptions, type HomeOptions } from '../options.ts';
import { print, table } from '../output.ts';
import { describeCurve, plotCurve } from '../plot.ts';
import { ProgressLine } from '../progress.ts';
import { describeTrained, showTraining } from '../train-progress.ts';
import { embedInChild, type ChildEmbedding } from '../embed-child.ts';
import { describeMined, showMining } from './mine.ts';
import { showProfile } from './profile.ts';
import { showCalibration } from './prune.ts';

const batchSize = 32;
const batches = 8;
const maxLength = 128;
/** Rows to train on: more than the steps below need. */
const mostRows = 8000;
const heldOutShare = 0.1;
/** Enough to see whether the loss falls; measuring all of them would take as long as the training. */
const heldOutRows = 4 * batchSize;
/** How long the small encoder is trained, about: the speed of the profile says how many steps that is. */
const trainingSeconds = 150;
const fewestSteps = 20;
/** Forward and backward in whole numbers, beside forward alone in float32. */
const trainingWork = 1.4;
/** A short training learns faster than the paper's long one. */
const training = { batchSize, maxLength, lr: 1e-3, warmup: 10, dropout: 0, precision: 'int8' } as const;
/**
 * The base model is the slowest to embed by far: it gets as many functions as it embeds in so much time, by the speed of
 * the profile.
 */
const secondsForBase = 60;
/** Tokens of a function on average, the longest cut to `maxLength`. */
const functionTokens = 110;
/** The large cut answers nothing here; this many functions measure its speed. */
const largeSample = 48;

/** Where models are read, run, measured, cut and trained; the editor's and the terminal's part is left out. */
const ownSources = /^src\/(data|encoder|engine|eval|models|prune|text|train|[^/]+$)/;

const questions = [
  'Where is it decided after which layer the model is cut?',
  'How are texts of similar length grouped so that little is computed on padding?',
  'What keeps a half-written file from replacing a good one?',
];

/** `l3prune demo`: the main job on a real model and the code at hand, from nothing to answers. */
export function demoCommand(signal: AbortSignal): Command {
  return homeOptions(new Command('demo').description('profile, cut and train the default model, and ask three questions about this repository before and after')).action(
    async (options: HomeOptions) => run(homeOf(options), process.cwd(), signal),
  );
}

async function run(home: string, workspace: string, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const line = new ProgressLine();
  await heading('1. The model');
  const { checkpoint, how, engine } = await openNamedModel(DEFAULT_MODEL, { home }, line, signal);
  const fetched = performance.now();
  await print(`${how}\nfingerprint ${await checkpoint.fingerprint()}\n`);

  await heading('2. Rows from the code at hand: this repository and its installed packages');
  const mined = await showMining(mine(workspace, { seed: defaultProfile.seed, limit: mostRows, heldOutShare, signal }), line);
  await print(describeMined(mined));
  const folder = join(home, 'demo');
  const [data, heldOut] = [join(folder, 'train.jsonl'), join(folder, 'held-out.jsonl')];
  await mkdir(folder, { recursive: true });
  await writeTriplets(data, mined.triplets);
  await writeTriplets(heldOut, Random.fromSeed(defaultProfile.seed).shuffle([...mined.heldOut]).slice(0, heldOutRows));

  await heading(`3. The loss at every layer: ${batches} batches of ${batchSize}, up to ${maxLength} tokens`);
  const request = { ...defaultProfile, batchSize, batches, maxLength };
  const encoder = { ...(await defaultSettings(checkpoint)), maxLength };
  const documented = minedTriplets({ triplets: mined.triplets.filter(({ kind }) => kind === 'doc') }, request.seed);
  const curve = await showProfile(profile(engine, checkpoint, documented, request, { signal }), line);
  await print(`${plotCurve(curve)}${describeCurve(curve)}`);

  await heading('4. The cuts');
  const checkpoints = join(home, 'checkpoints', 'demo');
  const cut = async (kind: 'small' | 'large'): Promise<CheckpointSummary> => {
    const layers = layersToKeep({ kind }, checkpoint.config.numHiddenLayers, curve);
    const calibrating = calibrateAt(engine, checkpoint, layers, documented.triplets, defaultCalibration, encoder, signal);
    return pruneCheckpoint(checkpoint, {
      depth: { kind },
      out: join(checkpoints, kind),
      encoder,
      curve,
      calibration: await showCalibration(calibrating, line),
      force: true,
      signal,
    });
  };
  const small = await cut('small');
  const large = await cut('large');
  for (const { layersKept, parameters, bytes, path } of [small, large])
    await print(`${layersKept} layers, ${(parameters / 1e6).toFixed(1)} million parameters, ${formatBytes(bytes)}: ${path}\n`);

  const steps = stepsFor(curve, small.layersKept);
  await heading(`5. The small encoder, trained for ${steps} steps of ${batchSize} rows`);
  const job = {
    model: checkpoint.directory,
    data: [data],
    out: join(checkpoints, 'trained'),
    depths: [{ kind: 'layers', layers: small.layersKept } as const],
    settings: { ...training, steps },
    evaluation: { data: heldOut, every: steps },
    force: true,
  };
  const result = await showTraining(runTrainJob(job, { home, signal }), line);
  await print(describeTrained(result));
  const trained = result.checkpoints[0]!;

  const { tokens, seconds } = curve;
  const functions = await ownFunctions(workspace, (secondsForBase * tokens) / seconds / functionTokens, signal);
  await heading(`6. Three questions about ${functions.length} functions of this repository`);
  const runs = {
    base: await embed(checkpoint.directory, functions, line, 'the base model', home, signal),
    large: await embed(large.path, functions.slice(0, largeSample), line, 'the large cut', home, signal),
    small: await embed(small.path, functions, line, 'the small cut', home, signal),
    trained: await embed(trained.path, functions, line, 'the trained cut', home, signal),
  };
  await answer(functions, runs);

  await heading('7. What was measured');
  await print(measurements(checkpoint, { large, small, trained }, runs));
  await print(`\nThe whole took ${formatDuration((performance.now() - started) / 1000)}, ${formatDuration((fetched - started) / 1000)} of it for the model.\n`);
}

/** Steps that take about as long as the training may, by what the profile computed in a second. */
function stepsFor({ tokens, seconds, model }: LossCurve, layers: number): number {
  const tokensPerSecond = (tokens / seconds) * (model.layers / layers / trainingWork);
  return Math.max(fewestSteps, Math.round((trainingSeconds * tokensPerSecond) / (tokens / batches)));
}

function heading(text: string): Promise<void> {
  return print(`\n${text}\n${'─'.repeat(text.length)}\n`);
}

/** Functions of the repository's own sources that have a body to speak of: all, or as many as asked for, chosen by seed. */
async function ownFunctions(workspace: string, most: number, signal: AbortSignal): Promise<FunctionChunk[]> {
  const { functions } = await collectFunctions(workspace, signal);
  const worthwhile = functions.filter(({ bodyLines, path }) => bodyLines >= 3 && ownSources.test(path));
  const chosen = new Set(Random.fromSeed(defaultProfile.seed).shuffle([...worthwhile]).slice(0, Math.max(1, Math.floor(most))));
  if (worthwhile.length === 0) throw errors.badData(`${workspace} holds no source of L³Prune: run the demo in a clone of its repository.`);
  return worthwhile.filter((chunk) => chosen.has(chunk));
}

/** What is embedded of a function: where it stands, what it says of itself, and its code. */
function textOf({ path, qualifiedName, comment, code }: FunctionChunk): string {
  return [`${path} ${qualifiedName}`, ...(comment === undefined ? [] : [comment.text]), code].join('\n');
}

/** The functions, then the questions, through the command line in a process of its own, whose memory is the model's alone. */
async function embed(
  model: string,
  functions: readonly FunctionChunk[],
  line: ProgressLine,
  name: string,
  home: string,
  signal: AbortSignal,
): Promise<ChildEmbedding> {
  const texts = [...functions.map(textOf), ...questions];
  const done = await embedInChild(['--model', model, '--max-length', String(maxLength), '--home', home], texts, signal, (count) =>
    line.show(`embedding with ${name}`, count, texts.length),
  );
  line.end();
  return done;
}

type Runs = Readonly<Record<'base' | 'large' | 'small' | 'trained', ChildEmbedding>>;

async function answer(functions: readonly FunctionChunk[], { base, small, trained }: Runs): Promise<void> {
  const ranked = ({ vectors }: ChildEmbedding) => rankByCosine(vectors.slice(functions.length), vectors.slice(0, functions.length), 3);
  const texts = new Bm25(functions.map(textOf));
  const answers = {
    'small cut, trained': ranked(trained),
    'small cut before, calibrated': ranked(small),
    'base model, as it is': ranked(base),
    BM25: questions.map((question) => texts.search(question, 3)),
  };
  for (const [i, question] of questions.entries()) {
    await print(`\n${question}\n`);
    for (const [system, ranking] of Object.entries(answers)) {
      const places = ranking[i]!.map(({ index }) => {
        const { path, startLine, qualifiedName } = functions[index]!;
        return `    ${path}:${startLine}  ${qualifiedName}\n`;
      });
      await print(`  ${system}\n${places.join('')}`);
    }
  }
}

function measurements(checkpoint: Checkpoint, cuts: { readonly large: CheckpointSummary; readonly small: CheckpointSummary; readonly trained: TrainedCheckpoint }, runs: Runs): string {
  const base = {
    layersKept: checkpoint.config.numHiddenLayers,
    parameters: countParameters(checkpoint.tensors),
    bytes: [...checkpoint.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
  const checkpoints = Object.entries({ base, ...cuts });
  const columns = Object.entries(runs);
  return table([
    ['', ...checkpoints.map(([name]) => name)],
    ['layers', ...checkpoints.map(([, of]) => String(of.layersKept))],
    ['parameters, million', ...checkpoints.map(([, of]) => (of.parameters / 1e6).toFixed(1))],
    ['disk', ...checkpoints.map(([, of]) => formatBytes(of.bytes))],
    ['memory, peak', ...columns.map(([, run]) => formatBytes(run.peakBytes))],
    ['loading', ...columns.map(([, run]) => `${run.loadSeconds.toFixed(1)} s`)],
    ['texts embedded', ...columns.map(([, run]) => String(run.texts))],
    ['seconds', ...columns.map(([, run]) => run.seconds.toFixed(1))],
    ['tokens/s', ...columns.map(([, run]) => (run.tokens / run.seconds).toFixed(0))],
  ]);
}

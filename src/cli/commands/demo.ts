import { join } from 'node:path';
import { Command } from 'commander';
import { formatBytes, formatDuration } from '../../format.ts';
import { collectFunctions } from '../../data/sources.ts';
import type { FunctionChunk } from '../../data/functions.ts';
import { errors } from '../../errors.ts';
import { mine } from '../../data/mine.ts';
import { minedTriplets } from '../../data/mine/triplet.ts';
import { rankByCosine } from '../../eval/cosine.ts';
import { DEFAULT_MODEL } from '../../models/default-model.ts';
import type { Checkpoint } from '../../models/types.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { countParameters } from '../../prune/checkpoints.ts';
import type { CheckpointSummary } from '../../prune/job.ts';
import { calibrateAt, defaultCalibration } from '../../prune/measure-calibration.ts';
import { defaultProfile, profile } from '../../prune/profile.ts';
import { layersToKeep, pruneCheckpoint } from '../../prune/prune.ts';
import { Random } from '../../random.ts';
import { Bm25 } from '../../text/bm25.ts';
import { openNamedModel } from '../model.ts';
import { homeOf, homeOptions, type HomeOptions } from '../options.ts';
import { print, table } from '../output.ts';
import { describeCurve, plotCurve } from '../plot.ts';
import { ProgressLine } from '../progress.ts';
import { embedInChild, type ChildEmbedding } from '../embed-child.ts';
import { describeMined, showMining } from './mine.ts';
import { showProfile } from './profile.ts';
import { showCalibration } from './prune.ts';

const batchSize = 32;
const batches = 8;
const maxLength = 128;
/**
 * The whole is to stay under four minutes after the downloads. The base model is the slowest by far: it gets as many
 * functions as it embeds in what is left of this, by the speed of the profile.
 */
const secondsForBase = 190;
/** Tokens of a function on average, the longest cut to `maxLength`. */
const functionTokens = 110;
/** The large cut answers nothing here; this many functions measure its speed. */
const largeSample = 48;

/** Where models are read, run, measured and cut; the editor's and the terminal's part is left out. */
const ownSources = /^src\/(data|encoder|engine|eval|models|prune|text|[^/]+$)/;

const questions = [
  'Where is it decided after which layer the model is cut?',
  'How are texts of similar length grouped so that little is computed on padding?',
  'What keeps a half-written file from replacing a good one?',
];

/** `l3prune demo`: the main job on a real model and the code at hand, from nothing to answers. */
export function demoCommand(signal: AbortSignal): Command {
  return homeOptions(new Command('demo').description('profile and cut the default model, and ask three questions about this repository with it')).action(
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

  await heading('2. Triplets from the code at hand: this repository and its installed packages');
  const mined = await showMining(mine(workspace, { seed: defaultProfile.seed, limit: batchSize * batches, kinds: ['doc'], signal }), line);
  await print(describeMined(mined));

  await heading(`3. The loss at every layer: ${batches} batches of ${batchSize}, up to ${maxLength} tokens`);
  const request = { ...defaultProfile, batchSize, batches, maxLength };
  const encoder = { ...(await defaultSettings(checkpoint)), maxLength };
  const data = minedTriplets(mined, request.seed);
  const curve = await showProfile(profile(engine, checkpoint, data, request, { signal }), line);
  await print(`${plotCurve(curve)}${describeCurve(curve)}`);

  await heading('4. The cuts');
  const cut = async (kind: 'small' | 'large'): Promise<CheckpointSummary> => {
    const layers = layersToKeep({ kind }, checkpoint.config.numHiddenLayers, curve);
    const calibrating = calibrateAt(engine, checkpoint, layers, data.triplets, defaultCalibration, encoder, signal);
    return pruneCheckpoint(checkpoint, {
      depth: { kind },
      out: join(home, 'checkpoints', 'demo', kind),
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

  const secondsLeft = secondsForBase - (performance.now() - fetched) / 1000;
  const { tokens, seconds } = curve;
  const functions = await ownFunctions(workspace, (secondsLeft * tokens) / seconds / functionTokens, signal);
  await heading(`5. Three questions about ${functions.length} functions of this repository`);
  const base = await embed(checkpoint.directory, functions, line, 'the base model', home, signal);
  const cutBase = await embed(small.path, functions, line, 'the small cut', home, signal);
  const cutLarge = await embed(large.path, functions.slice(0, largeSample), line, 'the large cut', home, signal);
  await answer(functions, base, cutBase);

  await heading('6. What was measured');
  await print(await measurements(checkpoint, [small, large], { base, small: cutBase, large: cutLarge }));
  await print(`\nThe whole took ${formatDuration((performance.now() - started) / 1000)}, ${formatDuration((fetched - started) / 1000)} of it for the model.\n`);
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

async function answer(functions: readonly FunctionChunk[], base: ChildEmbedding, small: ChildEmbedding): Promise<void> {
  const split = (vectors: readonly Float32Array[]) => ({ documents: vectors.slice(0, functions.length), queries: vectors.slice(functions.length) });
  const own = split(small.vectors);
  const whole = split(base.vectors);
  const texts = new Bm25(functions.map(textOf));
  const answers = {
    'small cut, calibrated': rankByCosine(own.queries, own.documents, 3),
    'base model, as it is': rankByCosine(whole.queries, whole.documents, 3),
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

async function measurements(
  checkpoint: Checkpoint,
  cuts: readonly CheckpointSummary[],
  runs: { readonly base: ChildEmbedding; readonly small: ChildEmbedding; readonly large: ChildEmbedding },
): Promise<string> {
  const whole = {
    layersKept: checkpoint.config.numHiddenLayers,
    parameters: countParameters(checkpoint.tensors),
    bytes: [...checkpoint.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
  const columns = [
    { name: 'base', of: whole, run: runs.base },
    { name: 'large', of: cuts[1]!, run: runs.large },
    { name: 'small', of: cuts[0]!, run: runs.small },
  ];
  return table([
    ['', ...columns.map(({ name }) => name)],
    ['layers', ...columns.map(({ of }) => String(of.layersKept))],
    ['parameters, million', ...columns.map(({ of }) => (of.parameters / 1e6).toFixed(1))],
    ['disk', ...columns.map(({ of }) => formatBytes(of.bytes))],
    ['memory, peak', ...columns.map(({ run }) => formatBytes(run.peakBytes))],
    ['loading', ...columns.map(({ run }) => `${run.loadSeconds.toFixed(1)} s`)],
    ['texts embedded', ...columns.map(({ run }) => String(run.texts))],
    ['seconds', ...columns.map(({ run }) => run.seconds.toFixed(1))],
    ['tokens/s', ...columns.map(({ run }) => (run.tokens / run.seconds).toFixed(0))],
  ]);
}

/**
 * What issues ask of speed and memory, measured and printed as ratios of one run; nothing is asserted.
 *
 *   npm run bench -- [profile] [encode] [matmul] [padding] [memory] [start] [engines] [train] [train-memory] [scan] [index]
 *     [query] [int8] [--model M] [--data FILE] [--rounds 3] [--threads 2] [--cache DIR]
 *
 * All of them without names. Triplets come from `--data`, or are mined from this repository. The comparison with PyTorch
 * needs torch and transformers, and peft for training, in the interpreter that PYTHON names (python3 where it names
 * none); that of the engines needs TensorFlow in the data home. The index is measured on a workspace that is fetched from
 * PyPI and npm once, and kept with what else takes long in `--cache`, a folder of the system's for temporary files.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dataHome } from '../../src/home.ts';
import { DEFAULT_MODEL } from '../../src/models/default-model.ts';
import { openModelFor } from '../../src/prune/inputs.ts';
import { engines } from './engines.ts';
import { matmulShare } from './matmul-share.ts';
import { padding } from './padding.ts';
import { indexWorkspace } from './index-workspace.ts';
import { int8Encoding } from './int8.ts';
import { firstEmbedding, profileMemory } from './process.ts';
import { queries } from './query.ts';
import { table, type Measure } from './report.ts';
import { scan } from './scan.ts';
import { loadTriplets, type Setup } from './setup.ts';
import { encodeThroughput, profileThroughput } from './throughput.ts';
import { trainingMemory } from './train-memory.ts';
import { trainingThroughput } from './training.ts';
import { defaultCache } from './workspace/build.ts';

const benches: Readonly<Record<string, (setup: Setup) => Promise<Measure | Measure[]>>> = {
  profile: profileThroughput,
  encode: encodeThroughput,
  matmul: matmulShare,
  padding,
  memory: profileMemory,
  start: firstEmbedding,
  engines,
  train: trainingThroughput,
  'train-memory': trainingMemory,
  scan,
  index: indexWorkspace,
  query: queries,
  int8: int8Encoding,
};
/** 16 batches of 64 for the padding; the others take the first of them. */
const mostTriplets = 1024;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: DEFAULT_MODEL },
    data: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    home: { type: 'string' },
    cache: { type: 'string', default: defaultCache },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(benches);
const unknown = names.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  console.error(`There is no bench ${unknown}; there are ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}

const threads = Number(values.threads);
const home = dataHome(values.home);
const { checkpoint, engine, how } = await openModelFor(values.model, { home, threads, engine: 'onnx' });
const scratch = await mkdtemp(join(tmpdir(), 'l3prune-bench-'));
try {
  const triplets = await loadTriplets(values.data, mostTriplets);
  console.log(`${how} Fingerprint ${await checkpoint.fingerprint()}.`);
  console.log(`${triplets.length} triplets ${values.data === undefined ? 'mined from this repository' : `of ${values.data}`}.`);
  console.log(`${cpus()[0]?.model ?? 'Unknown processor'}, ${cpus().length} cores, ${threads} threads, Node ${process.version}.\n`);
  const setup: Setup = { checkpoint, engine, threads, home, rounds: Number(values.rounds), triplets, scratch, cache: values.cache };
  const measures: Measure[] = [];
  for (const name of names) {
    console.error(`${name} …`);
    for (const measure of [await benches[name]!(setup)].flat()) {
      console.error(`${measure.what}: ${measure.ours} against ${measure.against}: ${measure.ratio}`);
      measures.push(measure);
    }
  }
  console.log(table(measures));
} finally {
  await rm(scratch, { recursive: true, force: true });
}

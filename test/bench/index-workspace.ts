import { cp, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { IndexEncoder } from '../../src/index/encoder.ts';
import { locateIndex } from '../../src/index/location.ts';
import { IndexWriter } from '../../src/index/store/writer.ts';
import { bundled } from './bundle.ts';
import { runScript } from './child.ts';
import { embeddingSpeed } from './index-embedding.ts';
import { median, times, type Measure } from './report.ts';
import { inSearchProcess } from './search-process.ts';
import { encodedLayers, type Setup } from './setup.ts';
import { openWorkspace, workspaceFolder } from './workspace/build.ts';
import { storeVectors } from './workspace/large-index.ts';

/** Of every so many files, one is embedded: all of them would take minutes a round. */
const embeddedShare = 50;
/** In words that any code has. */
const anyQuery = 'return the value of a function';

/** What `l3prune index --json` says of a run. */
interface IndexReport {
  readonly indexed: number;
  readonly unchanged: number;
  readonly chunks: number;
  readonly seconds: number;
  readonly vectors?: { readonly embedded: number };
}

/** The index of a workspace of 1,000 files: words, embedding, a restart, and its size on the disk. */
export async function indexWorkspace(setup: Setup): Promise<Measure[]> {
  const { root } = await openWorkspace(workspaceFolder(setup.cache));
  const sample = join(setup.scratch, 'sample');
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
  for (const file of files.sort().filter((_, i) => i % embeddedShare === 0)) await cp(join(root, file), join(sample, file));
  const { home, measures } = await lexical(setup, root);
  await fillVectors(setup, home, root);
  return [...measures, ...(await embeddingSpeed(setup, sample)), await restart(setup, home, root), ...(await sizes(home, root))];
}

/** From nothing, by the command line in a process of its own, while another process asks; the last round's index stays. */
async function lexical({ scratch, rounds, threads }: Setup, root: string): Promise<{ home: string; measures: Measure[] }> {
  const commandLine = await bundled('src/cli/main.ts');
  const first: number[] = [];
  const whole: number[] = [];
  const filesByThen: number[] = [];
  let home = '';
  let indexed = 0;
  for (let round = 0; round < rounds; round++) {
    home = join(scratch, `index-home-${round}`);
    const asking = inSearchProcess('poll', { home, threads, workspace: root, query: anyQuery });
    // It asks in vain before there is anything.
    await setTimeout(1000);
    const started = Date.now();
    const run = await runScript(commandLine, ['index', '--workspace', root, '--home', home, '--json']);
    const { answer } = await asking;
    ({ indexed } = JSON.parse(run.stdout) as IndexReport);
    first.push((answer.time - started) / 1000);
    filesByThen.push(answer.files);
    whole.push(run.seconds);
  }
  const row = (what: string, seconds: readonly number[], against: string, asked: number): Measure => ({
    what: `${what}, ${indexed} files: seconds from the start of l3prune index, median of ${rounds} fresh processes`,
    ours: `${median(seconds).toFixed(2)} (${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)})`,
    against,
    ratio: `${times(median(seconds) / asked)} of what is allowed`,
    asked: `< ${asked} s`,
  });
  const perSecond = `${(indexed / median(whole)).toFixed(0)} files/s`;
  return {
    home,
    measures: [row('first answer by words in another process', first, `${median(filesByThen)} files in the index by then`, 2), row('whole index by words', whole, perSecond, 10)],
  };
}

/** Random vectors for every chunk: a restart and the size on the disk do not ask where vectors come from. */
async function fillVectors(setup: Setup, home: string, root: string): Promise<void> {
  const encoder = await IndexEncoder.open({ model: setup.checkpoint.directory, layers: encodedLayers(setup) }, { home, threads: setup.threads, engine: 'onnx' });
  const writer = IndexWriter.open((await locateIndex(home, root)).database);
  storeVectors(writer, encoder);
  writer.close();
  await encoder.dispose();
}

async function restart({ rounds }: Setup, home: string, root: string): Promise<Measure> {
  const commandLine = await bundled('src/cli/main.ts');
  const seconds: number[] = [];
  let report: IndexReport | undefined;
  for (let round = 0; round < rounds; round++) {
    const run = await runScript(commandLine, ['index', '--workspace', root, '--home', home, '--json']);
    report = JSON.parse(run.stdout) as IndexReport;
    seconds.push(run.seconds);
  }
  return {
    what: `l3prune index of the unchanged workspace: seconds of a fresh process, median of ${rounds}`,
    ours: median(seconds).toFixed(2),
    against: `${report!.unchanged} files unchanged, ${report!.indexed} indexed, ${report!.vectors?.embedded} texts embedded`,
    ratio: '–',
    asked: '0 embedded',
  };
}

/** Pages by table, as SQLite counts them. */
async function sizes(home: string, root: string): Promise<Measure[]> {
  const database = new DatabaseSync((await locateIndex(home, root)).database, { readOnly: true });
  const number = (sql: string): number => database.prepare(sql).get()!['n'] as number;
  const chunks = number('SELECT count(*) AS n FROM chunks');
  const characters = number('SELECT sum(characters) AS n FROM files');
  const pages = new Map(database.prepare('SELECT name, sum(pgsize) AS n FROM dbstat GROUP BY name ORDER BY n DESC').all().map((row) => [row['name'] as string, row['n'] as number]));
  const dimensions = number('SELECT dimensions AS n FROM encoders');
  database.close();
  const isOfVectors = (name: string): boolean => /^(?:sqlite_autoindex_)?vectors/.test(name);
  const sum = (wanted: (name: string) => boolean): number => [...pages].reduce((all, [name, bytes]) => (wanted(name) ? all + bytes : all), 0);
  const vectors = sum(isOfVectors) / chunks;
  const others = sum((name) => !isOfVectors(name));
  const parts = [...pages].filter(([name, bytes]) => !isOfVectors(name) && bytes > others / 50);
  return [
    {
      what: `vectors of ${dimensions} dimensions with their index on the disk: bytes a chunk`,
      ours: vectors.toFixed(0),
      against: `${chunks} chunks; ${dimensions} numbers in 8 bits`,
      ratio: `${times(vectors / 800)} of what is allowed`,
      asked: '≤ 800',
    },
    {
      what: 'everything else on the disk: bytes a character that is indexed',
      ours: (others / characters).toFixed(2),
      against: `${characters} characters; ${parts.map(([name, bytes]) => `${name} ${(bytes / characters).toFixed(2)}`).join(', ')}`,
      ratio: `${times(others / characters / 2.5)} of what is allowed`,
      asked: '≤ 2.5',
    },
  ];
}

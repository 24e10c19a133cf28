import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { locateIndex } from '../../../src/index/location.ts';
import { Random } from '../../../src/random.ts';
import { LLAMA } from '../../models/folder.ts';
import { put } from '../files/workspace.ts';
import { connect, integrity } from '../store/sample.ts';
import { chunksOf, fileOf, indexedWorkspace, type Indexed } from './indexing.ts';

const isLong = process.env['L3PRUNE_LONG'] === '1';
const kills = isLong ? 100 : 10;
const program = fileURLToPath(new URL('index-workspace.ts', import.meta.url));
const fileCount = 250;
const perFile = 4;

let workspace: Indexed;
let database: string;

beforeEach(async () => {
  const files = Array.from({ length: fileCount }, (_, i) => [`folder${i % 9}/file${i}.ts`, fileOf(...Array.from({ length: perFile }, (_, j) => perFile * i + j))] as const);
  workspace = await indexedWorkspace(Object.fromEntries(files));
  ({ database } = await locateIndex(workspace.home, workspace.root));
});

interface Ran {
  readonly code: number | null;
  readonly stderr: string;
  /** What it has said, a line each. */
  readonly said: ReadonlyArray<{ readonly phase?: string; readonly notice?: string; readonly vectors?: { readonly done?: number; readonly total?: number; readonly embedded?: number } }>;
  /** Changes of the index's folder that were seen. */
  readonly changes: number;
}

/** When a process is killed: a moment of its work, not of a clock. */
interface Moment {
  /** After so many changes in the index's folder. */
  readonly changes?: number;
  /** After so many lines of what it says. */
  readonly lines?: number;
}

/** Indexes the workspace in a process of its own, and kills it. */
async function run({ changes: mostChanges = Infinity, lines: mostLines = Infinity }: Moment = {}): Promise<Ran> {
  const folder = path.dirname(database);
  await mkdir(folder, { recursive: true });
  const child = spawn(process.execPath, [program, workspace.home, workspace.root, LLAMA], { stdio: ['ignore', 'pipe', 'pipe'] });
  let changes = 0;
  const watcher = watch(folder, () => {
    if (++changes >= mostChanges) child.kill('SIGKILL');
  });
  let seen = 0;
  child.stdout.on('data', (data: Buffer) => {
    seen += data.toString().split('\n').length - 1;
    if (seen >= mostLines) child.kill('SIGKILL');
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  watcher.close();
  // The last line may be cut off.
  const lines = stdout.split('\n').slice(0, -1);
  return { code: code as number | null, stderr, changes, said: lines.map((line) => JSON.parse(line) as Ran['said'][number]) };
}

/** What is in the index after a kill. */
function stored(): { vectors: number; halves: number } {
  const connection = connect(database);
  const count = (sql: string): number => Number(connection.prepare(sql).get()!['n']);
  try {
    if (count("SELECT count(*) AS n FROM sqlite_master WHERE name = 'files'") === 0) return { vectors: 0, halves: 0 };
    return {
      vectors: count('SELECT count(*) AS n FROM vectors'),
      // Every file has as many chunks, and each of those its words.
      halves:
        count(`SELECT count(*) AS n FROM files AS f WHERE (SELECT count(*) FROM chunks WHERE file = f.id) <> ${perFile}`) +
        count('SELECT count(*) AS n FROM chunks WHERE file NOT IN (SELECT id FROM files)') +
        Math.abs(count('SELECT count(*) AS n FROM chunks') - count('SELECT count(*) AS n FROM words')) +
        Math.abs(count('SELECT count(*) AS n FROM chunks') - count('SELECT count(*) AS n FROM trigrams')),
    };
  } finally {
    connection.close();
  }
}

describe('indexing', { timeout: isLong ? 1_800_000 : 240_000 }, () => {
  test(`that is killed by kill -9 at any of ${kills} moments is whole, goes on, and comes to what it comes to without`, async () => {
    const whole = await run();
    expect(whole, whole.stderr).toMatchObject({ code: 0 });
    const reference = await chunksOf(workspace);
    expect(Object.values(reference)).not.toContain('');
    await rm(path.dirname(database), { recursive: true });
    const random = Random.fromSeed(17);
    let killed = 0;
    let before = 0;
    while (killed < kills) {
      // By turns while it writes, and while it computes.
      const moment = killed % 2 === 0 ? { changes: 1 + random.integer(whole.changes) } : { lines: 1 + random.integer(whole.said.length) };
      const { code, said, stderr } = await run(moment);
      expect(stderr).toBe('');
      expect(said.filter(({ phase }) => phase === 'notice')).toEqual([]);
      // It has gone on with what was there, and had embedded nothing of it again.
      const first = said.find(({ phase, vectors }) => phase === 'vectors' && vectors?.done !== undefined)?.vectors;
      if (first !== undefined) expect(first.done).toBeGreaterThan(before);
      if (code === 0) {
        expect(said.at(-1)?.vectors?.embedded).toBe(Object.keys(reference).length - before);
        expect(await chunksOf(workspace)).toEqual(reference);
        await rm(path.dirname(database), { recursive: true });
        before = 0;
        continue;
      }
      killed++;
      if (!existsSync(database)) continue;
      expect(integrity(database)).toBe('ok');
      const { vectors, halves } = stored();
      expect(halves).toBe(0);
      expect(vectors).toBeGreaterThanOrEqual(before);
      before = vectors;
    }
    expect(await run()).toMatchObject({ code: 0 });
    expect(await chunksOf(workspace)).toEqual(reference);
    expect(integrity(database)).toBe('ok');
  });

  test('that is killed while it takes in changes loses none of them', async () => {
    expect(await run()).toMatchObject({ code: 0 });
    for (let i = 0; i < 100; i++) await put(workspace.root, `folder${i % 9}/file${i}.ts`, fileOf(...Array.from({ length: perFile }, (_, j) => 10_000 + perFile * i + j)));
    await rm(path.join(workspace.root, 'folder8'), { recursive: true });
    const random = Random.fromSeed(23);
    for (let kill = 0; kill < 3; kill++) {
      await run({ changes: 1 + random.integer(40) });
      expect(integrity(database)).toBe('ok');
      expect(stored().halves).toBe(0);
    }
    expect(await run()).toMatchObject({ code: 0 });
    const chunks = await chunksOf(workspace);
    expect(Object.values(chunks)).not.toContain('');
    expect(Object.keys(chunks).filter((chunk) => chunk.startsWith('folder8/'))).toEqual([]);
    expect(Object.keys(chunks).filter((chunk) => / add1\d{4}$/.test(chunk))).toHaveLength(perFile * (100 - 11));
  });
});

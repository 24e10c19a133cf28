import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { reference, triplets } from './data.ts';
import { documentOf, json, LLAMA, linesOf, names, useCli } from './harness.ts';
import { writeWorkspace } from './workspace.ts';

const cli = useCli();
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program that another package might have: it imports ours by its name. Gives what it prints, as JSON. */
async function run<T>(source: string): Promise<T> {
  const program = await cli.write('program.mjs', source.replace("'l3prune'", JSON.stringify(join(root, 'dist', 'index.mjs'))));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: cli.path(), env: { ...process.env, L3PRUNE_HOME: cli.path('home') } });
  return JSON.parse(stdout) as T;
}
const model = JSON.stringify(LLAMA);

describe('package.json', () => {
  it('points at the built program and the built package', async () => {
    const { name, bin, exports } = await json<{ name: string; bin: object; exports: object }>(join(root, 'package.json'));
    expect({ name, bin, exports }).toEqual({
      name: 'l3prune',
      bin: { l3prune: 'dist/cli.mjs' },
      exports: { '.': './dist/index.mjs', './package.json': './package.json' },
    });
    expect(await readFile(join(root, 'dist', 'cli.mjs'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe('the package', () => {
  it('profiles with progress, as the command line does', async () => {
    await cli.write('data.jsonl', triplets);
    const { losses, reports } = await run<{ losses: number[]; reports: number }>(`
      import { profile } from 'l3prune';
      let reports = 0;
      const curve = await profile(${model}, 'data.jsonl', { batchSize: 4, batches: 3, order: 'file', maxLength: 96, onProgress: () => reports++ });
      console.log(JSON.stringify({ losses: curve.layers.map(({ loss }) => loss), reports }));`);
    const wanted = reference.losses.causal['scale_50']!.losses;
    expect(Math.max(...losses.map((loss, i) => Math.abs(loss - wanted[i]!) / wanted[i]!))).toBeLessThan(2e-5);
    expect(reports).toBeGreaterThanOrEqual(3);
  });

  it('trains with progress, and goes on with what was stopped', async () => {
    await cli.write('data.jsonl', triplets);
    const found = await run<{ codes: string[]; steps: number[]; layers: number }>(`
      import { encode, train } from 'l3prune';
      const stop = new AbortController();
      const options = { out: 'trained', depths: [{ kind: 'layers', layers: 2 }], settings: { steps: 4, batchSize: 4, maxLength: 64 } };
      const onProgress = ({ kind }) => kind === 'step' && stop.abort();
      const codes = await train(${model}, 'data.jsonl', { ...options, onProgress, signal: stop.signal }).then(() => [], ({ code }) => [code]);
      const { checkpoints: [{ steps, layersKept, path }] } = await train(${model}, ['data.jsonl'], { ...options, resume: true });
      const [vector] = await encode(path, ['read a file']);
      console.log(JSON.stringify({ codes, steps: [steps, vector.length], layers: layersKept }));`);
    expect(found).toEqual({ codes: ['CANCELLED'], steps: [4, 64], layers: 2 });
  });

  it('prunes by data, by a curve and by a count', async () => {
    await cli.write('data.jsonl', triplets);
    const kept = await run<number[]>(`
      import { profile, prune } from 'l3prune';
      const settings = { batchSize: 4, batches: 3, order: 'file', maxLength: 96 };
      const curve = await profile(${model}, 'data.jsonl', settings);
      const cuts = [
        await prune(${model}, { depth: { kind: 'small' }, out: 'one', data: 'data.jsonl', ...settings }),
        await prune(${model}, { depth: { kind: 'large' }, out: 'two', curve, instruction: 'Find:' }),
        await prune(${model}, { depth: { kind: 'layers', layers: 4 }, out: 'two', force: true }),
      ];
      console.log(JSON.stringify(cuts.map(({ layersKept }) => layersKept)));`);
    expect(kept).toEqual([2, 5, 4]);
    expect(await names(cli.path('one'))).toContain('2_Dense');
  });

  it('encodes as the command line embeds', async () => {
    const found = await run<number[][]>(`
      import { encode } from 'l3prune';
      const vectors = await encode(${model}, ['a text', { text: 'another', instruction: 'Find:' }], { layers: 3, separator: ' ' });
      console.log(JSON.stringify(vectors.map((vector) => [...vector])));`);
    const input = 'a text\n{"text":"another","instruction":"Find:"}\n';
    const wanted = linesOf<{ embedding: number[] }>(await cli.run(['embed', '--model', LLAMA, '--layer', '3'], { input }));
    expect(found).toHaveLength(2);
    for (const [i, vector] of found.entries()) for (const [j, x] of vector.entries()) expect(x).toBeCloseTo(wanted[i]!.embedding[j]!, 4);
  });

  it('indexes with progress and searches, as the command line does', async () => {
    await writeWorkspace(cli);
    const found = await run<object>(`
      import { index, search } from 'l3prune';
      const phases = new Set();
      const { texts, vectors } = await index('ws', { model: ${model}, layers: 2, exclude: ['docs'], onProgress: ({ phase }) => phases.add(phase) });
      const { hits: [hit], index: { semanticShare } } = await search('ws', 'parseAddress', { limit: 1, languages: ['typescript'] });
      const { texts: again } = await index('ws', { exclude: [], changed: ['docs'] });
      const found = await search('ws', 'retry', { mode: 'lexical', update: false });
      console.log(JSON.stringify({ phases: [...phases], indexed: [texts.indexed, again.indexed], embedded: vectors.embedded, place: [hit.path, hit.startLine], semanticShare, paths: found.hits.map(({ path }) => path).sort() }));`);
    expect(found).toEqual({ phases: ['texts', 'encoder', 'vectors'], indexed: [2, 1], embedded: 3, place: ['src/addresses.ts', 1], semanticShare: 1, paths: ['docs/guide.md', 'retry.py'] });
    const { results } = documentOf<{ results: Array<{ path: string }> }>(await cli.run(['search', '--workspace', 'ws', '--mode', 'lexical', '--json', 'retry']));
    expect(results.map(({ path }) => path).sort()).toEqual(['docs/guide.md', 'retry.py']);
  });

  it('fails with an error that has a code, and is cancelled by a signal', async () => {
    const codes = await run<string[]>(`
      import { CancelledError, encode, index, L3PruneError, profile, prune, search } from 'l3prune';
      const failures = await Promise.allSettled([
        encode('nowhere', ['a']),
        encode(${model}, ['']),
        prune(${model}, { depth: { kind: 'small' }, out: 'out' }),
        encode(${model}, ['a'], { signal: AbortSignal.abort() }),
        index('nowhere'),
        index('.', { layers: 2 }),
        search('.', 'a', { paths: ['src/('] }),
        search('.', 'a', { signal: AbortSignal.abort() }),
      ]);
      console.log(JSON.stringify(failures.map(({ reason }) => reason instanceof L3PruneError ? reason.code : String(reason))));`);
    expect(codes).toEqual(['NOT_FOUND', 'NOTHING_TO_POOL', 'USAGE', 'CANCELLED', 'NOT_FOUND', 'USAGE', 'USAGE', 'CANCELLED']);
    expect(await names(cli.path())).not.toContain('out');
  });
});

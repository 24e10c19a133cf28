import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/prune/manifest.ts';
import { worstDifference } from '../reference.ts';
import { asReference, triplets } from './data.ts';
import { json, linesOf, LLAMA, useCli } from './harness.ts';

const cli = useCli();
const input = '{"text":"def push(item): items.append(item)"}\n{"text":"how is an item pushed","role":"query"}\n';

/** Cuts the model with a calibration measured on the triplets; gives what is said on the way. */
async function prune(...args: string[]): Promise<string> {
  const data = await cli.write('data.jsonl', triplets);
  const depth = args.includes('--small') ? [] : ['--layers', '3'];
  const { code, stderr } = await cli.run(['prune', '--model', LLAMA, '--out', 'out', ...depth, '--data', data, ...asReference, ...args]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return stderr;
}

async function embed(model: string, ...args: string[]): Promise<Float32Array[]> {
  const rows = linesOf<{ embedding: number[] }>(await cli.run(['embed', '--model', model, '--max-length', '96', ...args], { input }));
  return rows.map(({ embedding }) => Float32Array.from(embedding));
}

/** One vector after another. */
function flat(vectors: readonly Float32Array[]): Float32Array {
  return Float32Array.from(vectors.flatMap((vector) => [...vector]));
}

describe('a checkpoint that was cut with data', () => {
  it('takes one mean off every vector with --components 0, unless plain ones are asked for', async () => {
    await prune('--components', '0');
    const plain = await embed(LLAMA, '--layer', '3');
    expect(worstDifference(flat(await embed('out', '--no-calibration')), flat(plain), 64)).toBe(0);
    const [document, query] = (await embed('out')).map((vector, i) => vector.map((x, j) => x - plain[i]![j]!));
    expect(worstDifference(document!, query!, 64)).toBeLessThan(1e-5);
    expect(Math.hypot(...document!)).toBeGreaterThan(0.1);
  });

  it('takes the mean of queries off a query and that of documents off a document with --calibrate router', async () => {
    await prune('--calibrate', 'router');
    const [plain, own] = [await embed('out', '--no-calibration'), await embed('out')];
    const taken = own.map((vector, i) => vector.map((x, j) => plain[i]![j]! - x));
    expect(worstDifference(taken[0]!, taken[1]!, 64)).toBeGreaterThan(0.01);
    const asQueries = await embed('out', '--role', 'query');
    expect(worstDifference(asQueries[0]!, plain[0]!.map((x, j) => x - taken[1]![j]!), 64)).toBeLessThan(1e-5);
  });

  it('takes leading components off with --components, and says so in its manifest', async () => {
    await prune('--components', '2');
    expect((await json<Manifest>(cli.path('out', 'l3prune.json'))).calibration).toEqual({ kind: 'mean', components: 2, rows: 12 });
    const [plain, own] = [await embed('out', '--no-calibration'), await embed('out')];
    const taken = own.map((vector, i) => vector.map((x, j) => plain[i]![j]! - x));
    expect(worstDifference(taken[0]!, taken[1]!, 64)).toBeGreaterThan(0.01);
  });

  it('is plain with --calibrate none', async () => {
    await prune('--small', '--calibrate', 'none');
    expect(worstDifference(flat(await embed('out')), flat(await embed(LLAMA, '--layer', '2')), 64)).toBe(0);
  });

  it('is calibrated at the depth that a curve given beside the data says, and no other curve is measured', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const { stdout } = await cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, '--json']);
    expect(await prune('--small', '--curve', await cli.write('curve.json', stdout))).not.toContain('layers');
    expect(await json<Manifest>(cli.path('out', 'l3prune.json'))).toMatchObject({ layers: 2, curve: JSON.parse(stdout) as object, calibration: { kind: 'mean' } });
  });

  it('gives plain vectors of other layers and settings than its own, and says so', async () => {
    await prune();
    for (const args of [['--layer', '2'], ['--layer', '3', '--pooling', 'mean'], ['--all-layers']]) {
      const [own, plain] = await Promise.all(['out', LLAMA].map((model) => cli.run(['embed', '--model', model, '--max-length', '96', ...args], { input })));
      const first = ({ stdout }: { stdout: string }): string => stdout.split('\n')[0]!.slice(0, 40);
      expect(first(own!)).toBe(first(plain!));
      expect(own!.stderr).toContain("The vectors are plain: the checkpoint's calibration is of layer 3 under causal attention and weighted_mean pooling.");
    }
  });

  it('puts the instruction that it keeps before what is a query', async () => {
    await prune('--instruction', 'Find:');
    const tokens = linesOf<{ ids: number[] }>(await cli.run(['embed', '--model', 'out', '--tokens'], { input }));
    const asked = '{"text":"how is an item pushed","instruction":"Find:"}\n';
    const [wanted] = linesOf<{ ids: number[] }>(await cli.run(['embed', '--model', 'out', '--tokens'], { input: asked }));
    expect(tokens[1]).toEqual(wanted);
    expect(tokens[0]!.ids.length).toBeLessThan(40);
  });
});

it('refuses a role that is none', async () => {
  const ran = await cli.run(['embed', '--model', LLAMA], { input: '{"text":"a","role":"user"}\n' });
  expect(ran.stderr).toContain('Line 1 of the input has a role that is neither query nor document');
  expect(ran.code).toBe(1);
});

import { cp, mkdir, readFile, rename, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CancelledError, L3PruneError } from '../../src/errors.ts';
import {
  float32Source,
  readSafetensors,
  readTensor,
  readTensorBytes,
  storedSource,
  writeSafetensors,
} from '../../src/models/safetensors.ts';
import type { StoredTensor } from '../../src/models/types.ts';
import { LLAMA, snapshot, useFolder } from './folder.ts';
import { hostileValue, mutate, mutations, replaceAt, runs, seed } from './mutation.ts';

const folder = useFolder();

/** A file of one's own: any header, any data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(), claimed?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  return Buffer.concat([length, json, data]);
}
const entry = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

async function refuse(content: Uint8Array): Promise<string> {
  await writeFile(folder.path('bad.safetensors'), content);
  const error = await readSafetensors(folder.path('bad.safetensors')).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'L3PruneError', code: 'BAD_MODEL_FILE' });
  return (error as L3PruneError).message;
}

describe('reading', () => {
  test('gives every tensor of a file that safetensors wrote, widened exactly', async () => {
    const tensors = await readSafetensors(LLAMA);
    expect(tensors.size).toBe(57);
    const embedding = tensors.get('model.embed_tokens.weight')!;
    expect(embedding).toMatchObject({ type: 'BF16', shape: [797, 64], byteLength: 797 * 64 * 2 });
    const bytes = Buffer.from(await readTensorBytes(embedding));
    const values = await readTensor(embedding);
    expect(values.length).toBe(797 * 64);
    const bits = new Uint32Array(values.buffer);
    expect(bits.every((value, i) => value === bytes.readUInt16LE(2 * i) * 65_536)).toBe(true);
  });

  test('widens float16, subnormals and infinities too', async () => {
    const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    await writeFile(folder.path('h.safetensors'), file({ h: entry(0, 131_072, [65_536], 'F16') }, new Uint8Array(halves.buffer)));
    const values = await readTensor((await readSafetensors(folder.path('h.safetensors'))).get('h')!);
    const known: Array<[number, number]> = [
      [0x0000, 0], [0x8000, -0], [0x0001, 2 ** -24], [0x03ff, 1023 * 2 ** -24], [0x0400, 2 ** -14], [0x3c00, 1],
      [0xc000, -2], [0x7bff, 65_504], [0x7c00, Infinity], [0xfc00, -Infinity], [0x7e00, Number.NaN], [0x3555, 0.333251953125],
    ];
    for (const [bits, value] of known) expect(values[bits]).toBe(value);
  });

  test('opens shards by their index, as one model', async () => {
    const whole = await readSafetensors(LLAMA);
    const names = [...whole.keys()];
    await shard(folder.path('m'), [names.filter((_, i) => i % 2 === 0), names.filter((_, i) => i % 2 === 1)]);
    const parts = await readSafetensors(folder.path('m'));
    expect([...parts.keys()].sort()).toEqual(names.sort());
    for (const name of names)
      expect(await sameBytes(parts.get(name)!, whole.get(name)!)).toBe(true);
  });

  test('follows the links of the Hugging Face cache, and no others', async () => {
    await mkdir(folder.path('models--x', 'blobs'), { recursive: true });
    await mkdir(folder.path('models--x', 'snapshots', 'abc'), { recursive: true });
    await cp(join(LLAMA, 'model.safetensors'), folder.path('models--x', 'blobs', '0123'));
    const snapshotFolder = folder.path('models--x', 'snapshots', 'abc');
    await symlink('../../blobs/0123', join(snapshotFolder, 'model.safetensors'));
    expect((await readSafetensors(snapshotFolder)).size).toBe(57);

    await mkdir(folder.path('plain'));
    await symlink('../models--x/blobs/0123', folder.path('plain', 'model.safetensors'));
    await expect(readSafetensors(folder.path('plain'))).rejects.toMatchObject({
      code: 'BAD_MODEL_FILE',
      message: expect.stringContaining('leads out of its folder'),
    });
  });

  test('leaves out tensors of other types', async () => {
    await writeFile(folder.path('i.safetensors'), file({ ids: entry(0, 8, [1], 'I64'), w: entry(8, 12) }, new Uint8Array(12)));
    expect([...(await readSafetensors(folder.path('i.safetensors'))).keys()]).toEqual(['w']);
  });

  test('says what is missing', async () => {
    await expect(readSafetensors(folder.path('none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readSafetensors(folder.path())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a file is refused, with the reason,', () => {
  const data = new Uint8Array(16);
  test.each<[string, Uint8Array, string]>([
    ['when it is empty', new Uint8Array(), 'it has 0 bytes'],
    ['when its header claims 2^63 bytes', file('{}', data, 1n << 63n), 'claims 9223372036854775808 bytes'],
    ['when its header claims a gigabyte', file('{}', data, 1_000_000_000n), 'claims 1000000000 bytes'],
    ['when its header ends after the file', file('{}', data, 19n), 'claims 19 bytes and the file has 26'],
    ['when its header is not JSON', file('{"a":', data), 'not valid JSON'],
    ['when its header is not an object', file('[]'), 'does not start with {'],
    ['when its header is not UTF-8', file('{"a\u0080":1}'.replace('\u0080', '\uFFFD')).fill(0xff, 11, 12), 'UTF-8'],
    ['when its header is nested deeply', file(`{"a":${'['.repeat(100_000)}`), 'nested deeper'],
    ['when a name is there twice', file('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', data), 'there twice'],
    ['when a tensor ends after the file', file({ a: entry(0, 20) }, data), 'lies at 0 to 20 of 16'],
    ['when offsets are 2^53', file({ a: entry(0, 2 ** 53, [2 ** 51]) }, data), 'no valid offsets'],
    ['when offsets run backwards', file({ a: entry(16, 0, [4]) }, data), 'lies at 16 to 0'],
    ['when offsets are negative', file({ a: entry(-4, 0, [1]) }, data), 'no valid offsets'],
    ['when tensors overlap', file({ a: entry(0, 12), b: entry(8, 16) }, data), 'overlaps'],
    ['when there is a hole', file({ a: entry(0, 4), b: entry(8, 16) }, data), 'a hole'],
    ['when bytes are left over', file({ a: entry(0, 12) }, data), '4 bytes after its last tensor'],
    ['when a shape does not fit its bytes', file({ a: entry(0, 16, [5]) }, data), 'of shape [5]'],
    ['when a shape overflows', file({ a: entry(0, 16, [2 ** 52, 2 ** 52, 0.5]) }, data), 'no valid shape'],
    ['when a shape overflows in whole numbers', file({ a: entry(0, 16, [2 ** 52, 2 ** 52]) }, data), 'of shape'],
    ['when a type is unknown', file({ a: entry(0, 16, [4], 'Q4_1') }, data), 'type "Q4_1"'],
    ['when metadata is no map of strings', file({ __metadata__: { a: 1 } }), '__metadata__'],
  ])('%s', async (_name, content, clause) => {
    expect(await refuse(content)).toContain(clause);
  });
});

describe('an index is refused', () => {
  const names = ['../model.safetensors', '/etc/passwd', 'a/b.safetensors', 'C:\\x.safetensors', '..', 'x.bin', 7];
  test.each(names)('when it names the shard %j', async (name) => {
    await mkdir(folder.path('m'));
    await cp(join(LLAMA, 'model.safetensors'), folder.path('model.safetensors'));
    await writeFile(folder.path('m', 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: name } }));
    await expect(readSafetensors(folder.path('m'))).rejects.toMatchObject({ code: 'BAD_MODEL_FILE' });
  });

  test('when a shard is missing, lacks a tensor, or holds one that belongs to another', async () => {
    const names = [...(await readSafetensors(LLAMA)).keys()];
    const halves = [names.slice(0, 20), names.slice(20)];
    await shard(folder.path('a'), halves);
    await unlink(folder.path('a', 'part-1.safetensors'));
    await expect(readSafetensors(folder.path('a'))).rejects.toThrow(/part-1\.safetensors cannot be read/);
    await shard(folder.path('b'), halves, { 'no.such.tensor': 'part-0.safetensors' });
    await expect(readSafetensors(folder.path('b'))).rejects.toThrow(/no\.such\.tensor.*does not hold it/);
    await shard(folder.path('c'), halves, { [names[0]!]: 'part-1.safetensors' });
    await expect(readSafetensors(folder.path('c'))).rejects.toThrow(/does not place tensor/);
  });
});

describe('writing', () => {
  test('copies tensors byte for byte, under new names, with aligned data', async () => {
    const whole = await readSafetensors(LLAMA);
    const sources = [...whole.values()].map((tensor) => storedSource(tensor, `x.${tensor.name}`));
    const values = Float32Array.from([1, -2.5, 3e-40]);
    await writeSafetensors(folder.path('out.safetensors'), [...sources, float32Source('f', [3, 1], values)]);
    const copy = await readSafetensors(folder.path('out.safetensors'));
    expect(copy.size).toBe(58);
    expect(await readTensor(copy.get('f')!)).toEqual(values);
    expect(copy.get('f')!.offset % 8).toBe(0);
    for (const [name, tensor] of whole)
      expect(await sameBytes(copy.get(`x.${name}`)!, tensor)).toBe(true);
  });

  test('and reading again gives the same tensors, whatever they are', async () => {
    const tensor = fc.record({
      name: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
      values: fc.float32Array({ maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 }), async (tensors) => {
        await writeSafetensors(
          folder.path('r.safetensors'),
          tensors.map(({ name, values }) => float32Source(name, [values.length], values)),
        );
        const read = await readSafetensors(folder.path('r.safetensors'));
        expect(read.size).toBe(tensors.length);
        for (const { name, values } of tensors) expect(await readTensor(read.get(name)!)).toEqual(values);
      }),
      { numRuns: runs(50), ...seed },
    );
  }, 300_000);

  test('reports every byte and can be cancelled, which leaves the old file', async () => {
    await writeFile(folder.path('out.safetensors'), 'old');
    const controller = new AbortController();
    const sources = [...(await readSafetensors(LLAMA)).values()].map((tensor) => storedSource(tensor));
    const cancelled = writeSafetensors(folder.path('out.safetensors'), sources, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError);
    expect(Object.keys(await snapshot(folder.path()))).toEqual([folder.path('out.safetensors')]);
    expect(await readFile(folder.path('out.safetensors'), 'utf8')).toBe('old');

    const seen: number[] = [];
    await writeSafetensors(folder.path('out.safetensors'), sources, {
      onProgress: ({ doneBytes, totalBytes }) => seen.push(doneBytes / totalBytes!),
    });
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });
});

test('a file that shrinks while it is read is a sentence', async () => {
  await cp(join(LLAMA, 'model.safetensors'), folder.path('m.safetensors'));
  const tensors = await readSafetensors(folder.path('m.safetensors'));
  await truncate(folder.path('m.safetensors'), 50_000);
  const last = [...tensors.values()].reduce((a, b) => (a.offset > b.offset ? a : b));
  await expect(readTensor(last)).rejects.toMatchObject({ code: 'BAD_MODEL_FILE' });
});

describe('whatever is done to a valid file, it opens within its bounds or is refused in a sentence', () => {
  const header = { __metadata__: { format: 'pt' }, a: entry(0, 24, [2, 3]), b: entry(24, 32, [4], 'F16'), c: entry(32, 40, [4], 'BF16') };
  const valid = file(header, new Uint8Array(40).fill(7));

  async function opensOrRefuses(content: Uint8Array): Promise<void> {
    await writeFile(folder.path('m.safetensors'), content);
    try {
      for (const tensor of (await readSafetensors(folder.path('m.safetensors'))).values()) {
        expect(tensor.offset + tensor.byteLength).toBeLessThanOrEqual(content.length);
        expect((await readTensor(tensor)).length).toBe(tensor.shape.reduce((a, b) => a * b, 1));
      }
    } catch (error) {
      expect(error).toBeInstanceOf(L3PruneError);
    }
    expect((await readFile(folder.path('m.safetensors'))).equals(content)).toBe(true);
  }

  test('bytes', async () => {
    await fc.assert(
      fc.asyncProperty(mutations, (changes) => opensOrRefuses(mutate(valid, changes, valid.length))),
      { numRuns: runs(500), ...seed },
    );
  }, 300_000);

  test('header fields', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(100), hostileValue, (n, value) =>
        opensOrRefuses(file(replaceAt(header, n, value), new Uint8Array(40))),
      ),
      { numRuns: runs(300), ...seed },
    );
  }, 300_000);
});

async function sameBytes(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  return Buffer.compare(await readTensorBytes(a), await readTensorBytes(b)) === 0;
}

/** Splits the fixture into part-0, part-1, … with an index, to which `extra` is added. */
async function shard(target: string, parts: string[][], extra: Record<string, string> = {}): Promise<void> {
  const whole = await readSafetensors(LLAMA);
  await mkdir(target, { recursive: true });
  const weightMap: Record<string, string> = {};
  for (const [i, names] of parts.entries()) {
    await writeSafetensors(join(target, 'part.tmp'), names.map((name) => storedSource(whole.get(name)!)));
    await rename(join(target, 'part.tmp'), join(target, `part-${i}.safetensors`));
    for (const name of names) weightMap[name] = `part-${i}.safetensors`;
  }
  await writeFile(join(target, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { ...weightMap, ...extra } }));
}

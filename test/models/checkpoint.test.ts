import { appendFile, cp, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { L3PruneError } from '../../src/errors.ts';
import { dataHome } from '../../src/home.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { readJson } from '../../src/models/json.ts';
import { errors } from '../../src/errors.ts';
import { LLAMA, snapshot, useFolder } from './folder.ts';
import { hostileValue, mutate, mutations, replaceAt, runs, seed } from './mutation.ts';

const folder = useFolder();
const model = (...names: string[]) => folder.path('model', ...names);
const open = (directory = model()) => openCheckpoint(directory, { home: folder.path('home') });

beforeEach(() => cp(LLAMA, model(), { recursive: true }));

async function editConfig(change: Record<string, unknown>): Promise<void> {
  const config = JSON.parse(await readFile(model('config.json'), 'utf8')) as object;
  await writeFile(model('config.json'), JSON.stringify({ ...config, ...change }));
}

describe('a checkpoint opens', () => {
  test('with its config, tensors and tokenizer', async () => {
    const checkpoint = await open();
    expect(checkpoint).toMatchObject({ directory: model(), name: 'model', config: { numHiddenLayers: 6 } });
    expect(checkpoint.tensors.size).toBe(57);
    expect(checkpoint.tokenizer.vocabSize).toBe(797);
  });

  test('under the name and fingerprint it is given', async () => {
    const checkpoint = await openCheckpoint(model(), { name: 'owner/name', fingerprint: 'abc' });
    expect(checkpoint.name).toBe('owner/name');
    expect(await checkpoint.fingerprint()).toBe('abc');
  });

  test('with a byte order mark before config.json', async () => {
    await writeFile(model('config.json'), `\uFEFF${await readFile(model('config.json'), 'utf8')}`);
    expect((await open()).config.hiddenSize).toBe(64);
  });
});

describe('its fingerprint', () => {
  test('stays when the folder moves or a harmless key changes', async () => {
    const before = await (await open()).fingerprint();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    await editConfig({ transformers_version: '5.0.0', use_cache: false });
    await rename(model(), folder.path('elsewhere'));
    expect(await (await open(folder.path('elsewhere'))).fingerprint()).toBe(before);
  });

  test('changes with a weight, a setting and the tokenizer', async () => {
    const seen = new Set([await (await open()).fingerprint()]);
    await editConfig({ rms_norm_eps: 1e-6 });
    seen.add(await (await open()).fingerprint());
    await appendFile(model('tokenizer.json'), '\n');
    seen.add(await (await open()).fingerprint());
    const weights = await readFile(model('model.safetensors'));
    weights[weights.length - 1]! ^= 1;
    await writeFile(model('model.safetensors'), weights);
    seen.add(await (await open()).fingerprint());
    expect(seen.size).toBe(4);
  });

  test('is remembered: a weight file of the same size and time is not read again', async () => {
    const first = await (await open()).fingerprint();
    const { atime, mtime } = await stat(model('model.safetensors'));
    await utimes(model('model.safetensors'), atime, mtime);
    await (await open()).fingerprint();
    const weights = await readFile(model('model.safetensors'));
    await writeFile(model('model.safetensors'), weights.fill(0, weights.length - 100));
    await utimes(model('model.safetensors'), atime, mtime);
    expect(await (await open()).fingerprint()).toBe(first);
  });

  test('needs no home that can be written, nor one that is ours', async () => {
    const first = await (await open()).fingerprint();
    await writeFile(folder.path('home', 'file-hashes.json'), '{"broken');
    expect(await (await open()).fingerprint()).toBe(first);
    await writeFile(folder.path('file'), '');
    expect(await (await openCheckpoint(model(), { home: folder.path('file', 'x') })).fingerprint()).toBe(first);
  });

  test('fails in a sentence when the weights are gone, and works again when they are back', async () => {
    const checkpoint = await open();
    await rename(model('model.safetensors'), model('away'));
    await expect(checkpoint.fingerprint()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await rename(model('away'), model('model.safetensors'));
    expect(await checkpoint.fingerprint()).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a folder is refused', () => {
  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['that does not exist', () => rm(model(), { recursive: true }), 'NOT_FOUND', /cannot be opened/],
    ['without config.json', () => rm(model('config.json')), 'NOT_FOUND', /config\.json/],
    ['whose config.json is empty', () => writeFile(model('config.json'), ''), 'BAD_CONFIG', /not valid JSON/],
    ['whose config.json is nested without end', () => writeFile(model('config.json'), '['.repeat(1e6)), 'BAD_CONFIG', /nested deeper/],
    ['whose config.json says a thing twice', () => writeFile(model('config.json'), '{"a":1,"a":2}'), 'BAD_CONFIG', /there twice/],
    ['whose config.json is not UTF-8', () => writeFile(model('config.json'), Buffer.from([0x22, 0xff, 0x22])), 'BAD_CONFIG', /UTF-8/],
    ['whose config.json is a folder', async () => { await rm(model('config.json')); await mkdir(model('config.json')); }, 'BAD_CONFIG', /not a file/],
    ['without weights', () => rm(model('model.safetensors')), 'NOT_FOUND', /model\.safetensors/],
    ['whose weights are cut', async () => writeFile(model('model.safetensors'), (await readFile(model('model.safetensors'))).subarray(0, -1)), 'BAD_MODEL_FILE', /embed|norm|lm_head|lies at/],
    ['without a tokenizer', () => rm(model('tokenizer.json')), 'NOT_FOUND', /tokenizer\.json/],
    ['whose config contradicts its weights', () => editConfig({ hidden_size: 128, head_dim: 32 }), 'BAD_CONFIG', /has the shape/],
  ])('%s', async (_name, damage, code, words) => {
    await damage();
    const before = await snapshot(folder.path());
    await expect(open()).rejects.toMatchObject({ name: 'L3PruneError', code, message: expect.stringMatching(words) });
    expect(await snapshot(folder.path())).toEqual(before);
  });

  test('whose tokenizer has more tokens than the model', async () => {
    const json = JSON.parse(await readFile(model('tokenizer.json'), 'utf8'));
    json.added_tokens.push({ ...json.added_tokens[0], id: 797, content: '<extra>' });
    await writeFile(model('tokenizer.json'), JSON.stringify(json));
    await expect(open()).rejects.toMatchObject({ code: 'BAD_TOKENIZER', message: expect.stringContaining('up to 797') });
  });

  test('that is a file', async () => {
    await expect(open(model('config.json'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('whatever is done to a tokenizer, the folder opens or is refused in a sentence', async () => {
  const valid = await readFile(join(LLAMA, 'tokenizer.json'));
  const json = JSON.parse(valid.toString()) as unknown;
  const damaged = fc.oneof(
    mutations.map((changes) => mutate(valid, changes, valid.length)),
    // The first places are the parts around the vocabulary; the rest are its tokens and merges.
    fc.tuple(fc.oneof(fc.nat(120), fc.nat(5000)), hostileValue).map(([n, value]) => Buffer.from(JSON.stringify(replaceAt(json, n, value)))),
  );
  await fc.assert(
    fc.asyncProperty(damaged, async (content) => {
      await writeFile(model('tokenizer.json'), content);
      try {
        const { tokenizer, config } = await open();
        expect(tokenizer.vocabSize).toBeLessThanOrEqual(config.vocabSize);
      } catch (error) {
        expect(error).toBeInstanceOf(L3PruneError);
      }
    }),
    { numRuns: runs(100), ...seed },
  );
}, 300_000);

test('two spellings of one key in a JSON file are the same key', async () => {
  await writeFile(folder.path('a.json'), '{"b": [{"a": 1}, {"a": 2, "x": "a\\"a"}], "a": 3, "\\u0061": 4}');
  await expect(readJson(folder.path('a.json'), errors.badConfig)).rejects.toThrow('the key "a" is there twice');
});

test('the data home is the one given, else that of the environment, else the system’s', () => {
  const before = process.env['L3PRUNE_HOME'];
  process.env['L3PRUNE_HOME'] = folder.path('env');
  expect(dataHome(folder.path('given'))).toBe(folder.path('given'));
  expect(dataHome()).toBe(folder.path('env'));
  delete process.env['L3PRUNE_HOME'];
  expect(dataHome()).toMatch(/l3prune$/);
  if (before !== undefined) process.env['L3PRUNE_HOME'] = before;
});

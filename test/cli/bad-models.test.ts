import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asReference, corpus, queries, triplets } from './data.ts';
import { expectFailure, LLAMA, names, snapshot, useCli, type Ran } from './harness.ts';
import { changeHeader, changeJson, overwriteNumber } from './weights.ts';

const cli = useCli();
const weights = 'model.safetensors';
const nan = 0x7fc0;

async function overwrite(folder: string, name: string, change: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readFile(join(folder, name));
  change(bytes);
  await writeFile(join(folder, name), bytes);
}
const inHeader = (change: Parameters<typeof changeHeader>[1]) => (folder: string) => changeHeader(folder, change);
const inConfig = (change: (config: Record<string, any>) => void) => (folder: string) => changeJson(join(folder, 'config.json'), change);
const norm = 'model.norm.weight';

const shardsAt = (shard: string) => async (folder: string): Promise<void> => {
  await rm(join(folder, weights));
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { [norm]: shard } }));
};

const damages: ReadonlyArray<readonly [what: string, damage: (folder: string) => Promise<void>, code: string]> = [
  ['no config', (folder) => rm(join(folder, 'config.json')), 'NOT_FOUND'],
  ['an empty config', (folder) => writeFile(join(folder, 'config.json'), ''), 'BAD_CONFIG'],
  ['a deep config', (folder) => writeFile(join(folder, 'config.json'), '['.repeat(200_000)), 'BAD_CONFIG'],
  ['a config with a key of unknown mathematics', inConfig((config) => (config['attn_logit_softcapping'] = 30)), 'UNSUPPORTED'],
  ['a config of another family', inConfig((config) => (config['model_type'] = 'mamba')), 'UNSUPPORTED'],
  ['a config with more layers than there are weights', inConfig((config) => (config['num_hidden_layers'] = 7)), 'BAD_MODEL_FILE'],
  ['a config with a number that is a text', inConfig((config) => (config['hidden_size'] = '64')), 'BAD_CONFIG'],
  ['a config with 2^53 heads', inConfig((config) => (config['num_attention_heads'] = 2 ** 53)), 'BAD_CONFIG'],
  ['no weights', (folder) => rm(join(folder, weights)), 'NOT_FOUND'],
  ['empty weights', (folder) => writeFile(join(folder, weights), ''), 'BAD_MODEL_FILE'],
  ['weights cut short in the data', (folder) => truncate(join(folder, weights), 100_000), 'BAD_MODEL_FILE'],
  ['weights cut short in the header', (folder) => truncate(join(folder, weights), 100), 'BAD_MODEL_FILE'],
  ['weights that claim a header of 1 GB', (folder) => overwrite(folder, weights, (bytes) => bytes.writeBigUInt64LE(1n << 30n)), 'BAD_MODEL_FILE'],
  ['weights that claim a header of 2^63 bytes', (folder) => overwrite(folder, weights, (bytes) => bytes.writeBigUInt64LE(1n << 63n)), 'BAD_MODEL_FILE'],
  ['weights with a deep header', (folder) => writeFile(join(folder, weights), Buffer.concat([Buffer.from(BigUint64Array.of(100_000n).buffer), Buffer.from('['.repeat(100_000))])), 'BAD_MODEL_FILE'],
  ['weights with an axis of 2^63', inHeader((header) => (header[norm]!.shape = [2 ** 63])), 'BAD_MODEL_FILE'],
  ['weights with overlapping offsets', inHeader((header) => (header[norm]!.data_offsets = [0, 128])), 'BAD_MODEL_FILE'],
  ['weights with offsets past the end', inHeader((header) => (header[norm]!.data_offsets = [2 ** 40, 2 ** 40 + 128])), 'BAD_MODEL_FILE'],
  ['weights that lack a tensor', inHeader((header) => (header['model.norm.bias'] = header[norm]!) && delete header[norm]), 'BAD_MODEL_FILE'],
  ['a shard outside of the folder', shardsAt('../secret.safetensors'), 'BAD_MODEL_FILE'],
  ['a shard by its absolute path', shardsAt('/etc/passwd.safetensors'), 'BAD_MODEL_FILE'],
  ['a shard that is not there', shardsAt('model-00001-of-00001.safetensors'), 'BAD_MODEL_FILE'],
  ['no tokenizer', (folder) => rm(join(folder, 'tokenizer.json')), 'NOT_FOUND'],
  ['a tokenizer that is no JSON', (folder) => writeFile(join(folder, 'tokenizer.json'), '\u007fELF'), 'BAD_TOKENIZER'],
  ['a tokenizer of a larger vocabulary', (folder) => changeJson(join(folder, 'tokenizer.json'), (json) => (json['model'].vocab['zzz'] = 50_000)), 'BAD_TOKENIZER'],
];

async function withDamage(damage: (folder: string) => Promise<void>): Promise<Record<string, string>> {
  return snapshot(await cli.model('model', damage));
}

async function inputs(): Promise<void> {
  await cli.write('data.jsonl', triplets);
  await cli.write('data/corpus.jsonl', corpus);
  await cli.write('data/queries.jsonl', queries);
}

/** Each subcommand that opens a model, on the model of that name. */
const commands: Readonly<Record<string, (model: string) => Promise<Ran>>> = {
  profile: (model) => cli.run(['profile', '--model', model, '--data', 'data.jsonl', ...asReference]),
  prune: (model) => cli.run(['prune', '--model', model, '--layers', '3', '--out', 'out']),
  embed: (model) => cli.run(['embed', '--model', model], { input: 'a text\n' }),
  eval: (model) => cli.run(['eval', '--model', model, '--data', 'data']),
};

describe('a model with', () => {
  it.each(damages)('%s is refused in one sentence, and nothing is written', async (_, damage, code) => {
    const before = await withDamage(damage);
    const ran = await commands['prune']!('model');
    expectFailure(ran, code);
    expect(ran.stdout).toBe('');
    expect(await snapshot(cli.path('model'))).toEqual(before);
    expect(await names(cli.path())).toEqual(['model']);
  });
});

describe.each(Object.keys(commands))('l3prune %s', (name) => {
  it('refuses a damaged model', async () => {
    await inputs();
    await withDamage((folder) => truncate(join(folder, weights), 100_000));
    expectFailure(await commands[name]!('model'), 'BAD_MODEL_FILE');
  });

  it('refuses weights that are not finite, and leaves nothing behind', async () => {
    await inputs();
    const before = await withDamage((folder) => overwriteNumber(folder, norm, nan));
    const ran = await commands[name]!('model');
    expectFailure(ran, 'NOT_FINITE', /not finite/);
    expect(ran.stdout).toBe('');
    expect(await snapshot(cli.path('model'))).toEqual(before);
    expect((await names(cli.path())).filter((file) => !['data', 'data.jsonl', 'home', 'model'].includes(file))).toEqual([]);
  });

  it('names a model that is not there', async () => {
    await inputs();
    expectFailure(await commands[name]!('./no/such/model'), 'NOT_FOUND', /no\/such\/model/);
  });

  it('gives up in seconds on a hub that nobody answers at', async () => {
    await inputs();
    const started = performance.now();
    expectFailure(await commands[name]!('someone/something'), 'MODEL_UNAVAILABLE', /cannot be reached .* check the connection or HF_ENDPOINT/);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('what --model names', () => {
  it.each([
    ['a file that is no model', 'data.jsonl', 'UNSUPPORTED', /neither a \.gguf nor a \.safetensors/],
    ['a GGUF file that is none', 'bad.gguf', 'BAD_MODEL_FILE', /bad\.gguf/],
    ['an empty folder', 'data', 'NOT_FOUND', /config\.json/],
    ['no name at all', 'model that is not', 'NOT_FOUND', /There is no model/],
  ] as const)('may not be %s', async (_, spec, code, sentence) => {
    await inputs();
    await cli.write('bad.gguf', 'GGUF\u0003\0\0\0 and then nothing');
    expectFailure(await commands['embed']!(spec), code, sentence);
  });

  it('may be weights beside their config', async () => {
    expect(await commands['embed']!(join(LLAMA, weights))).toMatchObject({ code: 0 });
  });
});

it('weights of nothing but zeros have no loss, and that is said', async () => {
  await inputs();
  await cli.model('model', async (folder) => {
    const path = join(folder, weights);
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, 8 + Number(bytes.readBigUInt64LE())));
  });
  expectFailure(await commands['profile']!('model'), 'NOT_FINITE', /has no loss at layer 1/);
});

it('a folder above --out that was made for a cut that failed is gone again', async () => {
  await cli.model('model', (folder) => overwriteNumber(folder, norm, nan));
  expectFailure(await cli.run(['prune', '--model', 'model', '--layers', '3', '--out', 'new/deeper/out']), 'NOT_FINITE');
  expect(await names(cli.path())).toEqual(['home', 'model']);
});

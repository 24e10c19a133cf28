import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HubApiError, fileDownloadInfo, listFiles, modelInfo, type ListFileEntry } from '@huggingface/hub';
import { errors, L3PruneError, throwIfCancelled } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { HubId } from './hub-cache.ts';
import type { HubSettings } from './hub-settings.ts';

/** A hub that has not begun to answer after this time is given up. */
const ANSWER_MS = 8_000;
/** A download that gives no byte for this long is given up. */
const STALL_MS = 20_000;

/** One file of a model, as the hub's listing has it. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of a large file, or git's SHA-1 of a small one; hexadecimal. */
  readonly hash: string;
}

/** The questions asked of a hub. Every failure is `MODEL_UNAVAILABLE` with what to do, `DOWNLOAD_CORRUPT` or `CANCELLED`. */
export class HubClient {
  readonly #settings: HubSettings;
  readonly #signal: AbortSignal | undefined;

  constructor(settings: HubSettings, signal: AbortSignal | undefined) {
    this.#settings = settings;
    this.#signal = signal;
  }

  /** The commit at which a model's branch or tag stands, and the files in its top folder. */
  async list(id: HubId): Promise<{ commit: string; files: HubFile[] }> {
    return this.#asking(id, async () => {
      const common = { hubUrl: this.#settings.endpoint, fetch: this.#fetch(ANSWER_MS) };
      const { sha } = await modelInfo({ ...common, name: id.name, revision: id.revision, additionalFields: ['sha'] });
      if (!/^[0-9a-f]{40}$/.test(sha)) throw new Error('it names no commit');
      const files: HubFile[] = [];
      const repo = { type: 'model', name: id.name } as const;
      for await (const entry of listFiles({ ...common, repo, revision: sha })) {
        const file = asHubFile(entry);
        if (file) files.push(file);
      }
      return { commit: sha, files };
    });
  }

  /** Downloads one file to `target`, which appears whole and verified or not at all. */
  async download(id: HubId, file: HubFile, target: string, onBytes: (count: number) => void): Promise<void> {
    await this.#asking(id, async () => {
      const repo = { type: 'model', name: id.name } as const;
      const common = { repo, hubUrl: this.#settings.endpoint, fetch: this.#fetch(ANSWER_MS) };
      const info = await fileDownloadInfo({ ...common, path: file.path, revision: id.revision });
      if (!info) throw new Error(`it does not have ${file.path}`);
      if (info.size !== file.bytes) throw corrupt(id, file, `${info.size} bytes are offered and ${file.bytes} were listed`);
      await mkdir(dirname(target), { recursive: true });
      const stall = new Stall(STALL_MS);
      try {
        const response = await this.#fetch(ANSWER_MS, stall.signal)(info.url);
        if (!response.ok) throw new HubApiError(info.url, response.status);
        const body = response.body ?? new ReadableStream<Uint8Array>();
        await writeFileAtomically(target, (handle) => store(handle, body, { id, file, stall, onBytes }), { signal: this.#signal });
      } finally {
        stall.end();
      }
    });
  }

  /** `fetch` with the token (for the hub's own host alone), the user's signal, and a limit on the wait for an answer. */
  #fetch(answerMs: number, also?: AbortSignal): typeof fetch {
    const { endpoint, token } = this.#settings;
    return async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      const headers = new Headers(init?.headers);
      if (token && new URL(url).origin === new URL(endpoint).origin) headers.set('Authorization', `Bearer ${token}`);
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new Error(`it did not answer for ${answerMs / 1000} seconds`)), answerMs);
      const signals = [late.signal, also, this.#signal].filter((signal) => signal !== undefined);
      try {
        return await fetch(input, { ...init, headers, signal: AbortSignal.any(signals) });
      } finally {
        clearTimeout(timer);
      }
    };
  }

  /** Whatever goes wrong while the hub is asked becomes one sentence. */
  async #asking<T>(id: HubId, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throwIfCancelled(this.#signal);
      if (error instanceof L3PruneError) throw error;
      throw errors.modelUnavailable(hubSentence(id, this.#settings, error), error);
    }
  }
}

/** Aborts when it has not been told for a while that something came. */
class Stall {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  #timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  moved(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #start(): NodeJS.Timeout {
    const abort = () => this.#controller.abort(new Error(`nothing came for ${this.#milliseconds / 1000} seconds`));
    return setTimeout(abort, this.#milliseconds);
  }
}

/** Files of the top folder with a name that is one, a size and a hash; the rest is not for us. */
function asHubFile({ type, path, size, oid, lfs }: ListFileEntry): HubFile | undefined {
  const hash = lfs ? lfs.oid : oid;
  const bytes = lfs ? lfs.size : size;
  if (type !== 'file' || !/^[\w.-]+$/.test(path) || path.startsWith('.')) return undefined;
  if (!Number.isSafeInteger(bytes) || bytes < 0 || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash ?? '')) return undefined;
  return { path, bytes, hash: hash ?? '' };
}

interface Reception {
  readonly id: HubId;
  readonly file: HubFile;
  readonly stall: Stall;
  readonly onBytes: (count: number) => void;
}

async function store(
  handle: { write(chunk: Uint8Array): Promise<unknown> },
  body: ReadableStream<Uint8Array>,
  { id, file, stall, onBytes }: Reception,
): Promise<void> {
  const isSha256 = file.hash.length === 64;
  const hash = createHash(isSha256 ? 'sha256' : 'sha1');
  if (!isSha256) hash.update(`blob ${file.bytes}\0`);
  let received = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    received += chunk.byteLength;
    if (received > file.bytes) throw corrupt(id, file, `more than ${file.bytes} bytes came`);
    hash.update(chunk);
    await handle.write(chunk);
    stall.moved();
    onBytes(chunk.byteLength);
  }
  if (received !== file.bytes) throw corrupt(id, file, `${received} of ${file.bytes} bytes came`);
  if (hash.digest('hex') !== file.hash) throw corrupt(id, file, `its hash is not ${file.hash}`);
}

function corrupt(id: HubId, file: HubFile, clause: string): L3PruneError {
  return errors.downloadCorrupt(`${file.path} of ${id.name} did not arrive as it should: ${clause}. Run it again.`);
}

function hubSentence(id: HubId, { endpoint, token }: HubSettings, error: unknown): string {
  const model = id.revision === 'main' ? id.name : `${id.name}@${id.revision}`;
  const status = error instanceof HubApiError ? error.statusCode : undefined;
  switch (status) {
    case 401:
      return token
        ? `${endpoint} does not accept the token for ${model}: check HF_TOKEN, and the model's name.`
        : `${endpoint} knows no public model ${model}: check its name, or set HF_TOKEN to a token that may read it.`;
    case 403:
      return `${endpoint} does not let you read ${model}: accept its terms on its page there, and set HF_TOKEN to your token.`;
    case 404:
      return `${endpoint} has no model ${model}: check its name and revision.`;
    case undefined:
      return `${endpoint} cannot be reached for ${model} (${networkReason(error)}): check the connection or HF_ENDPOINT, or name a folder or a .gguf file with --model.`;
    default:
      return `${endpoint} answered ${status} for ${model}: try again later, or name a folder or a .gguf file with --model.`;
  }
}

/** `fetch failed` says nothing; its cause does. */
function networkReason(error: unknown): string {
  const { cause, message } = error as Error;
  const inner = cause as NodeJS.ErrnoException | undefined;
  return (inner?.code ?? inner?.message ?? message).split('\n')[0]!.slice(0, 200);
}

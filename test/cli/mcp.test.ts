import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../../src/files.ts';
import { expectFailure, LLAMA, useCli } from './harness.ts';
import { files, writeWorkspace } from './workspace.ts';

const cli = useCli();
beforeEach(() => writeWorkspace(cli));

const program = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
const served = (...args: string[]): string[] => ['mcp', '--workspace', cli.path('ws'), '--home', cli.path('home'), ...args];

interface Answer {
  readonly results: ReadonlyArray<{ readonly path: string; readonly startLine: number; readonly endLine: number; readonly symbol: string; readonly kind: string; readonly snippet: string }>;
  readonly notes: readonly string[];
}
interface Status {
  readonly files: number;
  readonly chunks: number;
  readonly encoder?: string;
  readonly semanticShare: number;
  readonly isWhole: boolean;
  readonly excluded: Readonly<Record<string, number>>;
  readonly indexing: string;
}

interface Connected {
  readonly client: Client;
  readonly pid: number;
  call(name: string, args?: Record<string, unknown>): Promise<{ readonly isError: boolean; readonly text: string; readonly document: unknown }>;
  search(query: string, args?: Record<string, unknown>): Promise<Answer>;
  status(): Promise<Status>;
}

/** The SDK's own client over the built program. */
async function connect(...args: string[]): Promise<Connected> {
  const transport = new StdioClientTransport({ command: process.execPath, args: [program, ...served(...args)], stderr: 'pipe' });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  onTestFinished(() => client.close());
  const call: Connected['call'] = async (name, args = {}) => {
    const { content, isError, structuredContent } = await client.callTool({ name, arguments: args });
    return { isError: isError === true, text: (content as Array<{ text: string }>)[0]!.text, document: structuredContent };
  };
  return {
    client,
    pid: transport.pid!,
    call,
    search: async (query, args) => (await call('search_code', { query, ...args })).document as Answer,
    status: async () => (await call('index_status')).document as Status,
  };
}

/** Asks again and again: what is to come is made by another process. */
async function until<T>(ask: () => Promise<T>, isThere: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isThere(answer)) return answer;
  }
}

const pathsOf = ({ results }: Answer): string[] => results.map(({ path }) => path).sort();

/** The process that indexes, by what it leaves in its lock. */
async function indexPid(): Promise<number> {
  const [folder] = await readdir(cli.path('home', 'indexes'));
  return Number((await readFile(cli.path('home', 'indexes', folder!, 'writer.lock'), 'utf8')).split(' ')[0]);
}

describe('l3prune mcp', () => {
  it('says what its tools take', async () => {
    const { client } = await connect();
    const { tools } = await client.listTools();
    expect(client.getServerVersion()).toMatchObject({ name: 'l3prune' });
    expect(tools.map(({ name }) => name)).toEqual(['search_code', 'index_status']);
    expect(tools[0]).toMatchObject({
      description: expect.stringContaining('Find code of this workspace'),
      annotations: { readOnlyHint: true, openWorldHint: false },
      inputSchema: {
        type: 'object',
        required: ['query'],
        properties: {
          query: { type: 'string' },
          limit: { type: 'integer', minimum: 1, maximum: 50, default: 10 },
          mode: { enum: ['hybrid', 'semantic', 'lexical'], default: 'hybrid' },
          languages: { type: 'array', items: { type: 'string' } },
          paths: { type: 'array' },
          kinds: { type: 'array', items: { enum: ['function', 'method', 'class', 'interface', 'section', 'block'] } },
        },
      },
    });
  });

  it('answers from nothing, as text and as a document, and says what it has', async () => {
    const { call, status } = await connect();
    const { text, document } = await call('search_code', { query: 'parseAddress', limit: 1 });
    expect(document).toMatchObject({ results: [{ path: 'src/addresses.ts', startLine: 1, endLine: 4, symbol: 'parseAddress', snippet: files['src/addresses.ts']!.split('\n').slice(0, 4).join('\n') }] });
    expect(text).toContain('src/addresses.ts:1  parseAddress\n');
    expect(await until(status, ({ indexing }) => indexing === 'up to date')).toMatchObject({ files: 3, chunks: 5, semanticShare: 0, isWhole: true, excluded: { 'ignored by git': 1, 'looks like a secret': 1, vendored: 1 } });
  });

  it('honours filters and the limit; an empty list is none', async () => {
    const { search, status } = await connect();
    await until(status, ({ isWhole }) => isWhole);
    const query = 'retry request value address';
    expect(pathsOf(await search(query, { limit: 1 }))).toHaveLength(1);
    expect(pathsOf(await search(query, { languages: ['markdown'] }))).toEqual(['docs/guide.md']);
    expect(pathsOf(await search(query, { paths: ['src'] }))).toEqual(['src/addresses.ts', 'src/addresses.ts']);
    expect((await search(query, { kinds: ['class'] })).results.map(({ symbol }) => symbol)).toEqual(['Cache']);
    expect((await search(query, { languages: [], paths: [], kinds: [] })).results.length).toBeGreaterThan(3);
  });

  it('says what is wrong with a request, and goes on', async () => {
    const { call, search } = await connect();
    expect(await call('search_code', { query: 'retry', paths: ['src/('] })).toMatchObject({ isError: true, text: expect.stringMatching(/^The glob ".*src\/\(.*" holds a group: .* \[USAGE\]$/) });
    expect(await call('search_code', { query: 'retry', limit: 0 })).toMatchObject({ isError: true, text: expect.stringContaining('limit') });
    expect(await call('search_code', {})).toMatchObject({ isError: true, text: expect.stringContaining('query') });
    for (const query of ['', '\0', '\ud800', '?!', 'the', '"AND" NEAR( *', 'a'.repeat(100_000)]) expect(await call('search_code', { query })).toMatchObject({ isError: false });
    expect((await search('')).notes).toEqual(['The query is empty: write what you look for.']);
    expect(pathsOf(await search('retry_request'))).toContain('retry.py');
  });

  it('answers by meaning with the encoder that it was given', async () => {
    const { search, status } = await connect('--model', LLAMA);
    expect(await until(status, ({ semanticShare }) => semanticShare === 1)).toMatchObject({ encoder: 'model' });
    expect((await search('anything', { mode: 'semantic' })).results).toHaveLength(5);
  });

  it('keeps its index up to date: what is written is found, and what is deleted is not', async () => {
    const { search, status } = await connect();
    await until(status, ({ isWhole }) => isWhole);
    await cli.write('ws/zebra.py', 'def zebra():\n    return 1\n');
    await until(() => search('zebra'), ({ results }) => results.length === 1);
    await writeFile(cli.path('ws/zebra.py'), 'def giraffe():\n    return 22\n');
    await until(() => search('giraffe'), ({ results }) => results.length === 1);
    await rm(cli.path('ws/zebra.py'));
    await until(status, ({ files }) => files === 3);
    expect((await search('giraffe')).results).toEqual([]);
  });

  it('goes on with another index where somebody has deleted the one it had', async () => {
    const { search, status } = await connect();
    await until(status, ({ isWhole }) => isWhole);
    const before = await indexPid();
    await rm(cli.path('home', 'indexes'), { recursive: true });
    process.kill(before, 'SIGKILL');
    const { child, ended } = cli.start(['index', '--workspace', 'ws']);
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0 });
    expect(pathsOf(await search('retry_request'))).toContain('retry.py');
  });

  it('refuses a workspace that is none at once', async () => {
    expectFailure(await cli.run(['mcp', '--workspace', 'nowhere']), 'NOT_FOUND', /The workspace nowhere cannot be opened/);
    expectFailure(await cli.run(['mcp', '--workspace', 'ws', '--layers', '2']), 'USAGE', /are of an encoder: name its model/);
  });
});

describe('the processes of l3prune mcp', () => {
  it('say nothing on standard output but the protocol, and end with standard input', async () => {
    const { child, ended } = cli.start(served('--model', LLAMA));
    const lines = createInterface({ input: child.stdout });
    const replies = new Map<number, (reply: unknown) => void>();
    const spoken: Array<{ readonly jsonrpc: string; readonly id?: number }> = [];
    lines.on('line', (line) => {
      const reply = JSON.parse(line) as (typeof spoken)[number];
      spoken.push(reply);
      replies.get(reply.id!)?.(reply);
    });
    const ask = (id: number, method: string, params: object): Promise<unknown> => {
      const reply = new Promise((resolve) => replies.set(id, resolve));
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
      return reply;
    };
    await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } });
    child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    for (let id = 2; ; id++) {
      const { result } = (await ask(id, 'tools/call', { name: 'index_status', arguments: {} })) as { result: { structuredContent: Status } };
      if (result.structuredContent.semanticShare === 1) break;
    }
    const pid = await indexPid();
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    expect(spoken.every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true);
    await until(async () => isAlive(pid), (isThere) => !isThere);
  });

  it('end together where the server is killed', async () => {
    const { pid, status } = await connect();
    await until(status, ({ isWhole }) => isWhole);
    const child = await indexPid();
    expect(isAlive(child)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until(async () => isAlive(child), (isThere) => !isThere);
  });

  it('end with Ctrl-C', async () => {
    const { child, ended } = cli.start(served());
    child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 0 });
  });
});

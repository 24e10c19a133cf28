import { setTimeout } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { Command } from 'commander';
import { z } from 'zod';
import { describeError, errors, L3PruneError } from '../../errors.ts';
import { chunkKinds } from '../../index/chunks/types.ts';
import { encoderRequest } from '../../index/encoder-request.ts';
import { locateIndex } from '../../index/location.ts';
import { ReopeningSearch } from '../../index/search/reopening.ts';
import { searchModes, WorkspaceSearch } from '../../index/search/search.ts';
import { openWhenMade } from '../../index/search/when-made.ts';
import { version } from '../../version.ts';
import { IndexChild } from '../index-child.ts';
import { rulesOptions, workspaceOptions, type RulesOptions, type WorkspaceOptions } from '../index-options.ts';
import { homeOf } from '../options.ts';
import { describeAnswer } from '../search-report.ts';
import { documentOf } from './search.ts';

type McpOptions = WorkspaceOptions & RulesOptions;

/** An agent reads what it is given, and pays for it. */
const mostHits = 50;
const patienceMilliseconds = 2000;
const defaultThreads = 2;
/** So long the first questions wait for an index that is being made. */
const mostOpenMilliseconds = 10_000;

/** `l3prune mcp`: the search as an MCP server on standard input and output, over an index that is kept up to date. */
export function mcpCommand(signal: AbortSignal): Command {
  return rulesOptions(workspaceOptions(new Command('mcp').description('serve the search of a workspace to agents, as an MCP server on standard input and output'), defaultThreads)).action(async (options: McpOptions) =>
    run(options, signal),
  );
}

async function run(options: McpOptions, signal: AbortSignal): Promise<void> {
  const home = homeOf(options);
  const { threads, device, engine, workspace } = options;
  const args = indexArguments(options);
  // A workspace that is none is said at once, and not to the first who asks.
  await locateIndex(home, workspace);
  const child = new IndexChild(args);
  const search = new ReopeningSearch(() => whenMade(() => WorkspaceSearch.open(workspace, { home, threads, device, engine, signal, patienceMilliseconds }), child, signal));
  const server = serverOf(search, child);
  const closed = new Promise<void>((resolve) => {
    server.server.onclose = resolve;
    process.stdin.once('end', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.connect(new StdioServerTransport());
  await closed;
  child.stop();
  await server.close();
  await search.close();
}

/** Opens a search once the process that makes its index has begun; where it does not, what that says is told. */
async function whenMade(open: () => Promise<WorkspaceSearch>, child: IndexChild, signal: AbortSignal): Promise<WorkspaceSearch> {
  return openWhenMade(open, mostOpenMilliseconds, signal).catch((error: unknown) => {
    if (!(error instanceof L3PruneError) || error.code !== 'NOT_FOUND') throw error;
    throw errors.notFound(`${error.message.replace(/: run .*$/, '')}; the process that makes it says: ${child.state}`, error);
  });
}

/** Waits for the first look at all files, which is soon over for most workspaces: an answer out of a part would be taken for the whole. */
async function whole(search: WorkspaceSearch, end: number): Promise<void> {
  while (performance.now() < end && !search.status().isWhole) await setTimeout(50);
}

function serverOf(search: ReopeningSearch, child: IndexChild): McpServer {
  const end = performance.now() + mostOpenMilliseconds;
  const server = new McpServer({ name: 'l3prune', version });
  server.registerTool(
    'search_code',
    {
      title: 'Search code',
      description: "Find code of this workspace by what it does or by words in it. Answers with files, lines, symbols and snippets, best first. Nothing leaves the machine.",
      inputSchema: {
        query: z.string().describe('what is sought: a question in plain words, names, or a piece of code'),
        limit: z.number().int().min(1).max(mostHits).default(10).describe('results at most'),
        mode: z.enum(searchModes).default('hybrid').describe('by words, by meaning, or by both'),
        languages: z.array(z.string()).optional().describe('only these languages, as "typescript"'),
        paths: z.array(z.string()).optional().describe('only files that one of these globs matches, as "src/**/*.ts"'),
        kinds: z.array(z.enum(chunkKinds)).optional().describe('only such parts of files'),
      },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async (request) =>
      answered(async () => {
        const answer = await search.use(async (open) => {
          await whole(open, end);
          return open.search(request);
        });
        return { text: describeAnswer(answer, { isColoured: false }), document: documentOf(answer) };
      }),
  );
  server.registerTool(
    'index_status',
    {
      title: 'Index status',
      description: 'How much of this workspace can be searched, by words and by meaning, and what is left out.',
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async () =>
      answered(async () => {
        const document = { ...(await search.use((open) => open.status())), indexing: child.state };
        return { text: JSON.stringify(document, undefined, 2), document };
      }),
  );
  return server;
}

/** A tool's answer, or the sentence that says why there is none. */
async function answered(work: () => Promise<{ text: string; document: Record<string, unknown> }>) {
  try {
    const { text, document } = await work();
    return { content: [{ type: 'text' as const, text }], structuredContent: document };
  } catch (error) {
    if (!(error instanceof L3PruneError)) process.stderr.write(`${String((error as Error).stack ?? error)}\n`);
    const { code, message } = describeError(error);
    return { content: [{ type: 'text' as const, text: `${message} [${code}]` }], isError: true };
  }
}

/** What the process that indexes is started with. */
function indexArguments(options: McpOptions): string[] {
  const { workspace, home, device, engine, include, exclude, gitignore, mostBytes } = options;
  const { model, layers, maxLength, precision } = encoderRequest(options) ?? {};
  const named = { workspace, home, model, layers, 'max-length': maxLength, precision, device, engine, 'most-bytes': mostBytes };
  const lists = { include, exclude };
  return [
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)])),
    ...Object.entries(lists).flatMap(([name, values]) => (values === undefined ? [] : values === false ? [`--no-${name}`] : [`--${name}`, ...values])),
    ...(gitignore === undefined ? [] : [gitignore ? '--gitignore' : '--no-gitignore']),
  ];
}

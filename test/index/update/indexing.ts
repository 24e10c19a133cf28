import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { IndexEncoderRequest } from '../../../src/index/encoder.ts';
import { locateIndex } from '../../../src/index/location.ts';
import { IndexReader } from '../../../src/index/store/reader.ts';
import { WorkspaceIndex, type IndexOptions, type IndexProgress, type IndexResult } from '../../../src/index/update/update.ts';
import { LLAMA } from '../../models/folder.ts';
import { workspaceOf } from '../files/workspace.ts';
import { vectorsIn } from '../store/vectors.ts';

/** The fixture's first layers: other layers are another encoder. */
export const shallow: IndexEncoderRequest = { model: LLAMA, layers: 1 };
export const deeper: IndexEncoderRequest = { model: LLAMA, layers: 2 };

/** A workspace of one test, and the data home that its index is in. */
export interface Indexed {
  readonly root: string;
  readonly home: string;
}

export async function indexedWorkspace(files: Readonly<Record<string, string | Uint8Array>>): Promise<Indexed> {
  const home = await mkdtemp(path.join(tmpdir(), 'l3prune-data-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return { root: await workspaceOf(files), home };
}

export function optionsOf(home: string, options: Partial<IndexOptions> = {}): IndexOptions {
  return { home, threads: 1, rules: {}, regardless: true, ...options };
}

/** An index that is closed after the test, at the latest. */
export async function openIndex({ root, home }: Indexed, options: Partial<IndexOptions> = {}): Promise<WorkspaceIndex> {
  const index = await WorkspaceIndex.open(root, optionsOf(home, options));
  onTestFinished(() => index.close());
  return index;
}

/** What an update does as a command of its own would do it: opens, updates, closes. */
export async function update(workspace: Indexed, request?: IndexEncoderRequest, options: Partial<IndexOptions> = {}, only?: readonly string[]): Promise<IndexResult & { readonly notices: readonly string[] }> {
  const index = await WorkspaceIndex.open(workspace.root, optionsOf(workspace.home, options));
  try {
    return await finished(index.update(request, only));
  } finally {
    await index.close();
  }
}

/** Runs steps to their end. */
export async function finished<R>(steps: AsyncGenerator<IndexProgress, R>): Promise<R & { readonly notices: readonly string[] }> {
  const notices: string[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done) return { ...step.value, notices };
    if (step.value.phase === 'notice') notices.push(step.value.notice);
  }
}

/** Runs steps until one is of a phase, and leaves the rest. */
export async function until(phase: IndexProgress['phase'], steps: AsyncGenerator<IndexProgress, unknown>): Promise<void> {
  for (;;) {
    const step = await steps.next();
    if (step.done) throw new Error(`It ended before ${phase}.`);
    if (step.value.phase === phase) return;
  }
}

/** Asks the index as another process would. */
export async function ask<R>({ root, home }: Indexed, question: (reader: IndexReader) => R): Promise<R> {
  const reader = IndexReader.open((await locateIndex(home, root)).database);
  try {
    return question(reader);
  } finally {
    reader.close();
  }
}

/** Paths that are indexed. */
export async function paths(workspace: Indexed): Promise<string[]> {
  return (await ask(workspace, (reader) => reader.files().map(({ path }) => path))).toSorted();
}

/** Every chunk, by its place, with the vector of the encoder that answers. */
export async function chunksOf(workspace: Indexed): Promise<Record<string, string>> {
  return ask(workspace, (reader) => {
    const encoder = reader.activeEncoder();
    const vectors = new Map(encoder && vectorsIn(reader, encoder).map(({ textHash, vector }) => [hex(textHash), hex(vector)]));
    const chunks: Array<[string, string]> = [];
    for (let id = 1; id <= reader.lastChunk(); id++) {
      const chunk = reader.chunk(id);
      if (chunk !== undefined) chunks.push([`${chunk.path}:${chunk.startLine}:${chunk.startColumn}-${chunk.endLine}:${chunk.endColumn} ${chunk.symbol}`, vectors.get(hex(chunk.textHash)) ?? '']);
    }
    return Object.fromEntries(chunks.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A function of three lines that no other number gives. */
export function functionOf(number: number): string {
  return `/** Adds ${number} to what it is given. */\nexport function add${number}(value: number): number {\n  return value + ${number};\n}\n`;
}

/** A source file of such functions. */
export function fileOf(...numbers: number[]): string {
  return numbers.map(functionOf).join('\n');
}

import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../../src/files.ts';
import type { IndexEncoder } from '../../../src/index/encoder.ts';
import { defaultFileRules } from '../../../src/index/files/defaults.ts';
import { readWorkspaceFile } from '../../../src/index/files/read.ts';
import { walkWorkspace } from '../../../src/index/files/walk.ts';
import { locateIndex, prepareLocation } from '../../../src/index/location.ts';
import { pack, quantize } from '../../../src/index/scan/quantize.ts';
import { migrations } from '../../../src/index/store/schema.ts';
import type { NewChunk, NewFile } from '../../../src/index/store/types.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { chunkedTexts, toNewChunk, wordsOf } from '../../../src/index/update/texts.ts';
import { Random } from '../../../src/random.ts';

export interface LargeIndex {
  /** The workspace whose index it is, and the home that has it. */
  readonly root: string;
  readonly home: string;
}

/** A file of the small workspace, and what is stored of it. */
type SourceFile = NewFile & { readonly absolute: string };

/** Files that are stored as one transaction. */
const filesPerCommit = 200;

/**
 * An index of exactly so many chunks, kept in a folder: copies of a workspace's files, so that every snippet is read from a
 * file that is there. A copy's chunk has half of the words of each of two chunks of the workspace, so that words are as
 * frequent, and come together, as in code; every chunk has a random vector of its own, which the encoder's fingerprint
 * says is its.
 */
export async function openLargeIndex(workspace: string, folder: string, encoder: IndexEncoder, chunks: number): Promise<LargeIndex> {
  const large = { root: join(folder, 'files'), home: join(folder, 'home') };
  const made = join(folder, 'made.json');
  const wanted = JSON.stringify({ workspace, chunks, tables: digest(migrations.join()).toString('hex'), fingerprint: encoder.fingerprint });
  if ((await readFile(made, 'utf8').catch(() => '')) === wanted) return large;
  await rm(folder, { recursive: true, force: true });
  await mkdir(large.root, { recursive: true });
  const location = await locateIndex(large.home, large.root);
  await prepareLocation(location);
  const writer = IndexWriter.open(location.database);
  await storeFiles(writer, await sourceFiles(workspace), location.root, chunks);
  storeVectors(writer, encoder);
  writer.setExcluded({});
  writer.close();
  await writeFileAtomically(made, wanted);
  return large;
}

async function sourceFiles(workspace: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const found of walkWorkspace(workspace, defaultFileRules)) {
    if ('excluded' in found) continue;
    const { path, absolute, language, size, mtimeMs } = found.file;
    const read = await readWorkspaceFile(found.file);
    if ('reason' in read) continue;
    const { text, hash } = read;
    const chunks = (await chunkedTexts(text, path)).map((chunked) => toNewChunk(chunked, text));
    files.push({ path, absolute, language, size, mtimeMs, hash, characters: text.length, pathWords: wordsOf(path), chunks });
  }
  return files;
}

/** Stores the files, and copies of them until there are so many chunks. */
async function storeFiles(writer: IndexWriter, files: readonly SourceFile[], root: string, count: number): Promise<void> {
  const all = files.flatMap(({ chunks }) => chunks);
  const random = Random.fromSeed(1);
  const any = (): NewChunk => all[random.integer(all.length)]!;
  let waiting: NewFile[] = [];
  const commit = (): void => {
    writer.together(() => waiting.forEach((file) => writer.putFile(file)));
    waiting = [];
  };
  let left = count;
  for (let copy = 0; left > 0; copy++) {
    for (const { absolute, ...file } of files) {
      const path = `${copy}/${file.path}`;
      await cp(absolute, join(root, path), { preserveTimestamps: true });
      const own = copy === 0 ? file.chunks : file.chunks.map((chunk, i) => mixed(chunk, any(), any(), `${path} ${i}`));
      const chunks = own.slice(0, left);
      left -= chunks.length;
      waiting.push({ ...file, path, chunks });
      if (waiting.length === filesPerCommit || left === 0) commit();
      if (left === 0) return;
    }
  }
}

/** A chunk at the same place with other words. */
function mixed(chunk: NewChunk, a: NewChunk, b: NewChunk, name: string): NewChunk {
  const half = (words: string): string[] => words.split(' ').slice(0, Math.ceil(words.split(' ').length / 2));
  const halfText = (text: string): string => text.slice(0, text.length / 2);
  const textHash = digest(name).subarray(0, 16);
  return { ...chunk, textHash, bodyWords: [...half(a.bodyWords), ...half(b.bodyWords)].join(' '), body: `${halfText(a.body)}\n${halfText(b.body)}` };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Gives every text that has no vector a random one. */
export function storeVectors(writer: IndexWriter, encoder: IndexEncoder): void {
  const random = Random.fromSeed(2);
  const stored = writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
  const vector = (): Uint8Array => pack(quantize(Float32Array.from({ length: encoder.dimensions }, () => random.float() - 0.5)));
  for (;;) {
    const pending = writer.pending(stored, 0, 1000);
    if (pending.length === 0) return;
    const hashes = new Map(pending.map(({ textHash }) => [Buffer.from(textHash).toString('hex'), textHash]));
    writer.putVectors(stored, Array.from(hashes.values(), (textHash) => ({ textHash, vector: vector() })));
  }
}

import type { ChunkKind } from '../chunks/types.ts';

/** What a file was when it was indexed. */
export interface StoredFile {
  readonly id: number;
  readonly path: string;
  readonly language: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly hash: Uint8Array;
}

/** A file that was read and holds nothing to index. */
export interface RefusedFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly reason: string;
}

/** A chunk as it is found again. Lines and columns are 1-based, the end column excluded. */
export interface StoredChunk {
  readonly id: number;
  readonly fileId: number;
  readonly path: string;
  readonly language: string;
  readonly kind: ChunkKind;
  readonly symbol: string;
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** Of what an encoder reads of it: see `textHash`. */
  readonly textHash: Uint8Array;
}

/** A chunk to be stored, with the words that it is found by. */
export interface NewChunk extends Omit<StoredChunk, 'id' | 'fileId' | 'path' | 'language'> {
  /** Words of symbol and body as `codeWords` splits them, with a space between. */
  readonly symbolWords: string;
  readonly bodyWords: string;
  /** As it stands in the file, for what is sought letter by letter; it is not kept. */
  readonly body: string;
}

/** A file to be stored with its chunks. */
export interface NewFile extends Omit<StoredFile, 'id'> {
  readonly characters: number;
  readonly pathWords: string;
  readonly chunks: readonly NewChunk[];
}

/** What opens an encoder again, for the process that answers queries. */
export interface EncoderSource {
  /** What `--model` was. */
  readonly model: string;
  /** Its name in reports. */
  readonly name: string;
  readonly layers: number;
  readonly maxLength: number;
  readonly precision: 'float32' | 'int8';
}

/** An encoder that vectors are of. */
export interface StoredEncoder {
  readonly id: number;
  /** Of everything that changes a vector. */
  readonly fingerprint: string;
  readonly dimensions: number;
  readonly source: EncoderSource;
}

/** How much is indexed. */
export interface StoreCounts {
  readonly files: number;
  readonly chunks: number;
  readonly characters: number;
  /** Bytes on the disk, the log beside the file included. */
  readonly bytes: number;
}

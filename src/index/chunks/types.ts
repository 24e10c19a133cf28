export const chunkKinds = ['function', 'method', 'class', 'interface', 'section', 'block'] as const;

/** What a chunk is: a unit of the language, a section of a document, or a stretch of the rest of a file. */
export type ChunkKind = (typeof chunkKinds)[number];

/**
 * A stretch of a file that is found as one. The chunks of a file stand in its order, do not overlap, and together hold all
 * of its text but white space between them.
 */
export interface Chunk {
  readonly kind: ChunkKind;
  /** Its name with the names around it: "Parser.parse", a heading under its headings; "" where it has none. */
  readonly symbol: string;
  /** Places in the text in UTF-16 units, the end excluded. */
  readonly start: number;
  readonly end: number;
  /** 1-based. */
  readonly startLine: number;
  /** 1-based, in UTF-16 units. */
  readonly startColumn: number;
  /** The line of the last character, 1-based. */
  readonly endLine: number;
  /** 1-based, in UTF-16 units: behind the last character. */
  readonly endColumn: number;
}

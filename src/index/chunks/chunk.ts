import path from 'node:path';
import { markdownGroups } from './markdown.ts';
import { paragraphs } from './paragraphs.ts';
import { type Group, type Piece, toPieces } from './pieces.ts';
import { Source } from './source.ts';
import { syntaxGroups } from './syntax.ts';
import type { Chunk } from './types.ts';
import { unitRulesOf } from './units.ts';

/** What a file was cut to. */
export interface Chunked {
  readonly chunks: readonly Chunk[];
  /** Why a file of a language that is known was cut at its blank lines. */
  readonly fallback?: 'parser gave up';
}

const MARKDOWN = new Set(['.md', '.markdown', '.mdown', '.mkd', '.mdx', '.mdc']);

/**
 * Cuts a file to chunks: code by its syntax tree, Markdown by its headings, everything else at its blank lines.
 *
 * @param file decides the language by its name, and nothing else
 */
export async function chunkText(text: string, file: string): Promise<Chunked> {
  const source = new Source(text);
  if (MARKDOWN.has(path.extname(file).toLowerCase())) return { chunks: toChunks(markdownGroups(source), source) };
  const rules = unitRulesOf(file);
  const groups = rules && (await syntaxGroups(source, rules));
  if (groups !== undefined) return { chunks: toChunks(groups, source) };
  const chunks = toChunks([{ label: { kind: 'block', symbol: '' }, parts: paragraphs(source, 0, source.lines) }], source);
  return rules === undefined ? { chunks } : { chunks, fallback: 'parser gave up' };
}

function toChunks(groups: readonly Group[], source: Source): Chunk[] {
  return toPieces(groups, source).map(({ kind, symbol, start, end }: Piece) => {
    const startLine = source.lineAt(start);
    const endLine = source.lineAt(end - 1);
    return {
      kind,
      symbol,
      start,
      end,
      startLine: startLine + 1,
      startColumn: start - source.lineStart(startLine) + 1,
      endLine: endLine + 1,
      endColumn: end - source.lineStart(endLine) + 1,
    };
  });
}

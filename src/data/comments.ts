import type { Node } from 'web-tree-sitter';
import type { FunctionChunk } from './functions.ts';
import type { Documentation } from './languages/rules.ts';

/** A stretch of a source file; `line` is that of its start, 1-based. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** A place in a source file. */
interface Place {
  readonly index: number;
  readonly line: number;
}

/**
 * The comments of a source file, and what else may stand between a function and what documents it, found by where they
 * end: a comment belongs to what follows it, wherever in the syntax tree a grammar puts it.
 */
export class CommentIndex {
  readonly #source: string;
  readonly #documentation: Documentation;
  readonly #spans = { comment: new Map<number, Span>(), prefix: new Map<number, Span>(), overload: new Map<number, Span>() };

  constructor(source: string, documentation: Documentation) {
    this.#source = source;
    this.#documentation = documentation;
  }

  add(kind: 'comment' | 'prefix' | 'overload', node: Node): void {
    // Some grammars count the line's end as a part of the comment.
    const end = this.#endOfText(node.endIndex);
    const outer = this.#spans[kind].get(end);
    if (outer !== undefined && outer.start < node.startIndex) return;
    this.#spans[kind].set(end, { start: node.startIndex, end, line: node.startPosition.row + 1 });
  }

  /** Where a function starts, given where its declaration does: decorators and attributes before it are its own. */
  withPrefixes(declaration: Place): Place {
    let first = declaration;
    for (;;) {
      const prefix = this.#spans.prefix.get(this.#endOfText(first.index));
      if (prefix === undefined) return first;
      first = { index: prefix.start, line: prefix.line };
    }
  }

  /** The documentation that ends on the line above a function's start, or on the same line. */
  documentationBefore(index: number): FunctionChunk['comment'] {
    if (this.#documentation === 'docstring') return undefined;
    const { block, line } = this.#documentation;
    let start = index;
    for (let overload = this.#before('overload', start); overload !== undefined; overload = this.#before('overload', start)) start = overload.start;
    let last = this.#directlyBefore(start);
    // Directives stand between a function and its comment, or above it.
    while (last !== undefined && this.#isDirective(last, line)) last = this.#directlyBefore(last.start);
    if (last === undefined) return undefined;
    const text = this.#text(last);
    if (block?.test(text) && !/^\/\*[*!]*\/$/.test(text)) return { text, startLine: last.line };
    if (!line?.test(text)) return undefined;
    const lines = [last];
    for (let above = this.#directlyBefore(last.start); above !== undefined && line.test(this.#text(above)); above = this.#directlyBefore(above.start)) lines.unshift(above);
    return { text: lines.map((span) => this.#text(span)).join('\n'), startLine: (lines[0] as Span).line };
  }

  /** The comment that ends at most one line's end before a place, unless it stands behind code of its own line. */
  #directlyBefore(index: number): Span | undefined {
    const comment = this.#before('comment', index);
    if (comment === undefined) return undefined;
    const gap = this.#source.slice(comment.end, index);
    if (gap.indexOf('\n') !== gap.lastIndexOf('\n')) return undefined;
    const textBefore = this.#endOfText(comment.start);
    const isFirst = textBefore === 0 || this.#source.slice(textBefore, comment.start).includes('\n');
    return isFirst || !gap.includes('\n') ? comment : undefined;
  }

  #before(kind: 'comment' | 'overload', index: number): Span | undefined {
    return this.#spans[kind].get(this.#endOfText(index));
  }

  /** Whether a comment is a line that documents nothing, in a language where lines can. */
  #isDirective(span: Span, line: RegExp | undefined): boolean {
    return line !== undefined && !this.#text(span).startsWith('/*') && !line.test(this.#text(span));
  }

  #text({ start, end }: Span): string {
    return this.#source.slice(start, end);
  }

  /** The end of the text before a place, without the white space between. */
  #endOfText(index: number): number {
    let end = index;
    while (end > 0 && /\s/.test(this.#source[end - 1] as string)) end--;
    return end;
  }
}

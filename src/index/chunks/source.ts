/**
 * The text of a file with what is asked of it again and again: how much is written between two places, and where lines
 * begin. Lines end where an editor ends them: at LF, CRLF and a lone CR.
 */
export class Source {
  readonly text: string;
  /** How many characters that are no white space stand before each place. */
  readonly #written: Uint32Array;
  readonly #lineStarts: number[] = [0];

  constructor(text: string) {
    this.text = text;
    this.#written = new Uint32Array(text.length + 1);
    let written = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (!isSpace(code)) written++;
      else if (code === LF || (code === CR && text.charCodeAt(i + 1) !== LF)) this.#lineStarts.push(i + 1);
      this.#written[i + 1] = written;
    }
  }

  /** The characters between two places that are no white space: what a tokenizer makes tokens of. */
  size(start: number, end: number): number {
    return (this.#written[end] as number) - (this.#written[start] as number);
  }

  /** The last place up to `end` such that at most `size` characters are written between `start` and it. */
  reach(start: number, end: number, size: number): number {
    const most = (this.#written[start] as number) + size;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#written[middle] as number) <= most) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The line of a place, 0-based. */
  lineAt(index: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lineStart(middle) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  get lines(): number {
    return this.#lineStarts.length;
  }

  /** Where a line starts, 0-based; the end of the text for the line behind the last. */
  lineStart(line: number): number {
    return this.#lineStarts[line] ?? this.text.length;
  }

  /** A line without the end that separates it from the next. */
  line(line: number): string {
    return this.text.slice(this.lineStart(line), this.lineStart(line + 1)).replace(/(\r\n|[\r\n])$/, '');
  }

  /** The lines that a stretch without white space around it touches. */
  lineCount(start: number, end: number): number {
    return this.lineAt(Math.max(start, end - 1)) - this.lineAt(start) + 1;
  }

  /** How many characters of white space a line begins with. */
  indentation(line: number): number {
    const start = this.lineStart(line);
    return Math.min(this.skipSpace(start), this.lineStart(line + 1)) - start;
  }

  /** Whether nothing but white space stands before a place in its line. */
  startsLine(index: number): boolean {
    return this.size(this.lineStart(this.lineAt(index)), index) === 0;
  }

  /** The first place from here on that is no white space. */
  skipSpace(index: number): number {
    return Math.min(this.text.length, this.reach(index, this.text.length, 0));
  }

  /** The end of what is written before a place. */
  endBefore(index: number): number {
    let end = index;
    while (end > 0 && isSpace(this.text.charCodeAt(end - 1))) end--;
    return end;
  }
}

const LF = 10;
const CR = 13;

/** What `\s` matches. */
function isSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 9 && code <= 13);
  if (code < 0xa0) return false;
  return code === 0xa0 || code === 0xfeff || code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000;
}

import type { Part } from './pieces.ts';
import type { Source } from './source.ts';

/**
 * Where text that stands between blank lines begins, for the lines from one to another (0-based, the last excluded).
 *
 * @param isInside whether a line must stay with the one before it whatever that is
 */
export function paragraphs(source: Source, from: number, to: number, isInside: (line: number) => boolean = () => false): Part[] {
  const parts: Part[] = [{ start: source.lineStart(from), depth: 0 }];
  let isBlank = false;
  for (let line = from; line < to; line++) {
    const wasBlank = isBlank;
    isBlank = source.size(source.lineStart(line), source.lineStart(line + 1)) === 0;
    if (wasBlank && !isBlank && !isInside(line)) parts.push({ start: source.lineStart(line), depth: source.indentation(line) });
  }
  return parts;
}

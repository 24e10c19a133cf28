import { styleText } from 'node:util';
import { groupByFile } from '../index/search/group.ts';
import type { SearchAnswer, SearchHit } from '../index/search/search.ts';
import { counted } from '../format.ts';
import { printable } from './index-report.ts';

/** An answer for a person: path:line, symbol, and lines of the code, each hit apart; those of a file together where they are to be. */
export function describeAnswer({ hits, index, notes }: SearchAnswer, { isColoured, isGrouped = false }: { readonly isColoured: boolean; readonly isGrouped?: boolean }): string {
  const style = (format: Parameters<typeof styleText>[0], text: string): string => (isColoured ? styleText(format, text, { validateStream: false }) : text);
  const ordered = isGrouped ? groupByFile(hits).flatMap((group) => group.hits) : hits;
  const found = ordered.map((hit) => describeHit(hit, style));
  const none = hits.length === 0 ? ['Nothing was found.\n'] : [];
  const footer = [...notes, `${counted(index.files, 'file')}, ${counted(index.chunks, 'chunk')}${index.encoder === undefined ? '' : `, encoder ${index.encoder}`}.`];
  return [...found, ...none, `${footer.map((sentence) => style('dim', printable(sentence))).join('\n')}\n`].join('\n');
}

function describeHit({ path, startLine, symbol, snippet, isChanged }: SearchHit, style: (format: Parameters<typeof styleText>[0], text: string) => string): string {
  const changed = isChanged ? style('yellow', ' (changed since it was indexed)') : '';
  const head = `${style('cyan', `${printable(path)}:${startLine}`)}${symbol === '' ? '' : `  ${style('bold', printable(symbol))}`}${changed}`;
  const width = String(snippet.startLine + snippet.lines.length).length;
  const lines = snippet.lines.map((text, i) => {
    const line = snippet.startLine + i;
    const shown = printable(text.replaceAll('\t', '    '));
    return `  ${style('dim', String(line).padStart(width))}  ${snippet.matchedLines.includes(line) ? shown : style('dim', shown)}\n`;
  });
  return `${head}\n${lines.join('')}`;
}

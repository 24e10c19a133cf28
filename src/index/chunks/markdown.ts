import { paragraphs } from './paragraphs.ts';
import type { Group } from './pieces.ts';
import type { Source } from './source.ts';

interface Heading {
  readonly level: number;
  readonly text: string;
  /** The lines that it takes, 0-based, the last excluded. */
  readonly from: number;
  readonly to: number;
}

const FENCE = /^ {0,3}(`{3,}(?!.*`)|~{3,})/;
const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$/;
const SETEXT = /^ {0,3}(=+|-+)[ \t]*$/;
/** What cannot be the line above the underline of a heading: a list, a quote, a table, code, mark-up. */
const NO_TEXT = /^( {4}|\t| {0,3}([-*+>|<]|\d+[.)] ))/;

/** The sections of a Markdown file, each under its heading and called by the headings around it: "Guide > Install". */
export function markdownGroups(source: Source): Group[] {
  const { headings, fenced } = outline(source);
  const isFenced = (line: number): boolean => fenced.has(line);
  const groups: Group[] = [{ label: { kind: 'block', symbol: '' }, parts: paragraphs(source, 0, headings[0]?.from ?? source.lines, isFenced) }];
  const around: Heading[] = [];
  for (const [i, heading] of headings.entries()) {
    while (around.length > 0 && (around.at(-1) as Heading).level >= heading.level) around.pop();
    around.push(heading);
    const symbol = around.map(({ text }) => text).filter(Boolean).join(' > ');
    const to = headings[i + 1]?.from ?? source.lines;
    const isEmpty = source.size(source.lineStart(heading.to), source.lineStart(to)) === 0;
    const [first, ...rest] = paragraphs(source, heading.from, to, (line) => isFenced(line) || isAfterHeading(line, heading, source));
    if (first !== undefined) groups.push({ label: { kind: 'section', symbol }, parts: [{ ...first, leads: isEmpty, isUnit: !isEmpty }, ...rest] });
  }
  return groups;
}

/** A heading stays with the paragraph below it. */
function isAfterHeading(line: number, heading: Heading, source: Source): boolean {
  return source.size(source.lineStart(heading.to), source.lineStart(line)) === 0;
}

/** The headings, and the lines that stand in a fence or close it. */
function outline(source: Source): { headings: Heading[]; fenced: Set<number> } {
  const headings: Heading[] = [];
  const fenced = new Set<number>();
  let fence: string | undefined;
  let paragraph: number | undefined;
  for (let line = frontMatter(source); line < source.lines; line++) {
    const text = source.line(line);
    if (fence !== undefined) {
      fenced.add(line);
      if (closes(text, fence)) fence = undefined;
      continue;
    }
    fence = FENCE.exec(text)?.[1];
    const atx = ATX.exec(text);
    const underline = SETEXT.exec(text)?.[1];
    if (atx !== null) headings.push({ level: (atx[1] as string).length, text: plain(atx[2] ?? ''), from: line, to: line + 1 });
    else if (underline !== undefined && paragraph !== undefined) {
      const words = source.text.slice(source.lineStart(paragraph), source.lineStart(line));
      headings.push({ level: underline.startsWith('=') ? 1 : 2, text: plain(words), from: paragraph, to: line + 1 });
    } else if (fence === undefined && text.trim() !== '' && (paragraph !== undefined || !NO_TEXT.test(text))) {
      paragraph ??= line;
      continue;
    }
    paragraph = undefined;
  }
  return { headings, fenced };
}

function closes(line: string, fence: string): boolean {
  const text = line.trim();
  return text.length >= fence.length && text === (fence[0] as string).repeat(text.length);
}

/** The line behind the data that a file begins with between two lines of dashes. */
function frontMatter(source: Source): number {
  if (source.line(0).trimEnd() !== '---') return 0;
  for (let line = 1; line < source.lines; line++) if (/^(---|\.\.\.)\s*$/.test(source.line(line))) return line + 1;
  return 0;
}

const MOST_OF_HEADING = 120;

/** A heading as it is read: links by their text, without marks and mark-up. */
function plain(heading: string): string {
  const words = heading.slice(0, 4 * MOST_OF_HEADING).replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/<[^<>]*>|\{#[^}]*\}|[`*]/g, '');
  return words.replace(/\s+/g, ' ').trim().slice(0, MOST_OF_HEADING);
}

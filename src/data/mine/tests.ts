import path from 'node:path';
import { codeWords } from '../../text/words.ts';
import type { FunctionChunk, ParsedSource } from '../functions.ts';
import { type CodeLanguage, familyOf } from '../grammars.ts';
import { languageRules } from '../languages/table.ts';
import type { Sentence } from '../sentence.ts';
import { spokenWords } from './spoken.ts';

/** A test: what it is called, what it stands in, and the names of what it calls. */
export interface TestCase {
  readonly title: string;
  /** From the outermost inwards. */
  readonly groups: readonly string[];
  readonly calls: readonly string[];
  readonly path: string;
  readonly language: CodeLanguage;
}

const TEST_FILE =
  /(^|\/)([^/]*[._-])?(tests?|__tests__|__mocks__|specs?|testing|testdata|fixtures?|mocks?|bench|benches|benchmarks?)\/|[.-](test|spec)s?\.[cm]?[jt]sx?$|_(test|spec|unittest)\.\w+$|(^|\/)(test_[^/]*|conftest)\.pyw?$/i;
const TEST_CLASS_FILE = /(Tests?|TestCase|IT|Spec|Benchmarks?)\.(java|cs|php)$/;
const TEST_BLOCK = /^(it|test|specify|should|example|scenario|SCENARIO|TEST_CASE)\b/;
const GROUP_BLOCK = /^(describe|context|suite|feature|RSpec)\b/;

/** Whether a path is one of tests, or of what only tests use, by the conventions of its language. */
export function isTestFile(relative: string): boolean {
  return TEST_FILE.test(relative) || TEST_CLASS_FILE.test(relative);
}

/** Whether a function is a test by the conventions of its language. */
export function isTest({ name, code, language, comment }: FunctionChunk): boolean {
  const { name: names, mark } = languageRules[language].tests;
  const head = code.slice(0, code.indexOf('{') + 1 || code.length);
  return names?.test(name) === true || mark?.test(head) === true || (language === 'php' && /@test\b/.test(comment?.text ?? ''));
}

/** The tests of a parsed file; those of its functions that are tests must come with its calls. */
export function testCases({ functions, calls, blocks }: ParsedSource, relative: string, language: CodeLanguage): TestCase[] {
  // What a test file declares itself is not what it tests.
  const own = new Set(isTestFile(relative) ? functions.map(({ name }) => name) : []);
  const sorted = calls.filter(({ name }) => !own.has(name)).toSorted((a, b) => a.line - b.line);
  const called = (start: number, end: number): string[] => {
    const names = new Set<string>();
    for (let i = firstFrom(sorted, start); i < sorted.length && (sorted[i] as { line: number }).line <= end; i++) names.add((sorted[i] as { name: string }).name);
    return [...names];
  };
  const cases: TestCase[] = [];
  for (const test of functions.filter(isTest)) {
    const spelled = languageRules[test.language].tests.title?.(test.code.split('\n', 1)[0] as string);
    const names = spelled ?? test.qualifiedName.split('.');
    cases.push({ title: names.at(-1) as string, groups: names.slice(0, -1), calls: called(test.startLine, test.endLine), path: relative, language });
  }
  const groups = blocks.filter(({ callee }) => GROUP_BLOCK.test(callee));
  for (const block of blocks.filter(({ callee }) => TEST_BLOCK.test(callee))) {
    const around = groups.filter((group) => group.startLine <= block.startLine && block.endLine <= group.endLine);
    cases.push({ title: block.title, groups: around.map(({ title }) => title), calls: called(block.startLine, block.endLine), path: relative, language });
  }
  return cases;
}

/** The first of the calls, sorted by line, that is not before a line. */
function firstFrom(sorted: ReadonlyArray<{ readonly line: number }>, line: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as { line: number }).line < line) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A function that more of the tests call than this is their tool, not what they test. */
const MOST_OF_TESTS = 0.2;
const TESTS_TO_TELL = 10;

/** Finds the functions that tests test, among all functions of a package. */
export class TestTargets {
  readonly #byName = new Map<string, FunctionChunk[]>();
  readonly #callers = new Map<string, number>();
  readonly #tests: readonly TestCase[];

  constructor(functions: readonly FunctionChunk[], tests: readonly TestCase[]) {
    this.#tests = tests;
    for (const chunk of functions) {
      const key = keyOf(chunk.name, chunk.language);
      const same = this.#byName.get(key);
      if (same === undefined) this.#byName.set(key, [chunk]);
      else same.push(chunk);
    }
    for (const { calls, language } of tests) {
      for (const name of calls) this.#callers.set(keyOf(name, language), (this.#callers.get(keyOf(name, language)) ?? 0) + 1);
    }
  }

  /**
   * The function a test is about: of those that it calls and that only one function can be meant by, the one that the
   * test or its groups name, by more than one word or with its class or file; or else, for a test with a sentence for a
   * title, the only one that stands in the file which the test's own file is named after.
   */
  find(test: TestCase): FunctionChunk | undefined {
    const said = new Set([...test.groups, test.title].flatMap(codeWords));
    let best: { readonly chunk: FunctionChunk; readonly score: number } | undefined;
    const beside: FunctionChunk[] = [];
    for (const name of test.calls) {
      const chunk = this.#resolve(name, test, said);
      if (chunk === undefined) continue;
      const isBeside = stemOf(chunk.path) === stemOf(test.path);
      const words = codeWords(chunk.name);
      const owner = codeWords(ownerOf(chunk));
      const isClear = words.length > 1 || isBeside || (owner.length > 0 && owner.every((word) => said.has(word)));
      const isNamed = isClear && words.length > 0 && words.every((word) => said.has(word));
      if (isBeside && !this.#isTool(name, test.language)) beside.push(chunk);
      const score = words.length + (isBeside ? 0.5 : 0);
      if (isNamed && (best === undefined || score > best.score)) best = { chunk, score };
    }
    return best?.chunk ?? (beside.length === 1 && /\s/.test(test.title) ? beside[0] : undefined);
  }

  #isTool(name: string, language: CodeLanguage): boolean {
    const callers = this.#callers.get(keyOf(name, language)) ?? 0;
    return this.#tests.length >= TESTS_TO_TELL && callers > MOST_OF_TESTS * this.#tests.length;
  }

  /** The one function of a name: of several, the one beside the test, or the one whose class the test speaks of. */
  #resolve(name: string, test: TestCase, said: ReadonlySet<string>): FunctionChunk | undefined {
    const all = this.#byName.get(keyOf(name, test.language)) ?? [];
    if (all.length < 2) return all[0];
    const narrowed = [
      all.filter((chunk) => stemOf(chunk.path) === stemOf(test.path)),
      all.filter((chunk) => {
        const owner = codeWords(ownerOf(chunk));
        return owner.length > 0 && owner.every((word) => said.has(word));
      }),
    ];
    return narrowed.find((chunks) => chunks.length === 1)?.[0];
  }
}

/** The class or what else a function stands in. */
function ownerOf({ qualifiedName }: FunctionChunk): string {
  return qualifiedName.split('.').at(-2) ?? '';
}

function keyOf(name: string, language: CodeLanguage): string {
  return `${familyOf(language)} ${name}`;
}

/** What a file is named after: "url" for url.py, test_url.py, url.test.ts, UrlTests.cs. */
function stemOf(file: string): string {
  return path.posix
    .basename(file)
    .replace(/\.[^.]*$/, '')
    .replace(/^test_|[._-](test|tests|spec|unittest)$|(?<=[a-z0-9])(Tests?|TestCase|IT|Spec)$/i, '')
    .replace(/[\W_]+/g, '')
    .toLowerCase();
}

const MIN_WORDS = 4;
/** Beside those of the function's name. */
const MIN_OTHER_WORDS = 2;
const MAX_WORDS = 30;

/** What a test says of its function, as a person would: its title, after its group's where the title alone does not name it. */
export function testQuery(test: TestCase, target: FunctionChunk): Sentence {
  const title = spoken(test.title);
  const group = spoken(test.groups.at(-1) ?? '').replace(/\btests?\b\s*/gi, '').trim();
  const said = new Set(codeWords(title));
  const name = codeWords(target.name);
  const isNamed = name.every((word) => said.has(word));
  const text = isNamed || group === '' || codeWords(group).every((word) => said.has(word)) ? title : `${group} ${title}`;
  const words = text.split(' ').length;
  const others = new Set(codeWords(text).filter((word) => !name.includes(word)));
  if (words < MIN_WORDS || others.size < MIN_OTHER_WORDS) return { problem: 'test title says too little' };
  return words > MAX_WORDS ? { problem: `test title over ${MAX_WORDS} words` } : { text };
}

/** A title as words: a sentence without its quotes and placeholders, or an identifier taken apart. */
function spoken(title: string): string {
  const plain = title
    .replace(/^[@LuU8]*["'`]|["'`]$/g, '')
    .replace(/\$\{[^}]*\}|#\{[^}]*\}|%[sdifjop#]|\$\w+/g, ' ')
    .replace(/\\(.)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
  const sentence = /\s/.test(plain) ? plain : spokenWords(plain).join(' ').replace(/^tests? | tests?$/g, '');
  return sentence.replace(/^(it )?should (?!not)/i, '').replace(/[.:;,\s]+$/, '');
}

import { codeWords } from '../../text/words.ts';
import type { FunctionChunk } from '../functions.ts';
import type { Sentence } from '../sentence.ts';
import type { Commit } from './git-log.ts';

/** A line that says nothing: brackets, `else`, `return null`. */
const MIN_LINE_CHARACTERS = 10;
/** The share of what a commit added that has to stand in one function for the message to be about it. */
const ENOUGH = 0.6;

/** Finds the one function that most of a commit is in, among the functions of a package as they are today. */
export class CommitTargets {
  readonly #byPath = new Map<string, { readonly chunk: FunctionChunk; readonly lines: ReadonlySet<string> }[]>();

  constructor(functions: readonly FunctionChunk[]) {
    for (const chunk of functions) {
      const lines = new Set(chunk.code.split('\n').map((line) => line.trim()));
      const same = this.#byPath.get(chunk.path);
      if (same === undefined) this.#byPath.set(chunk.path, [{ chunk, lines }]);
      else same.push({ chunk, lines });
    }
  }

  /** Undefined where what it added is spread, or gone again. */
  find({ files }: Commit): FunctionChunk | undefined {
    let total = 0;
    let best: { readonly chunk: FunctionChunk; readonly hits: number } | undefined;
    for (const { path, added } of files) {
      const said = added.filter((line) => line.length >= MIN_LINE_CHARACTERS);
      total += said.length;
      for (const { chunk, lines } of this.#byPath.get(path) ?? []) {
        const hits = said.filter((line) => lines.has(line)).length;
        const isBetter = best === undefined || hits > best.hits || (hits === best.hits && chunk.code.length < best.chunk.code.length);
        if (hits > 0 && isBetter) best = { chunk, hits };
      }
    }
    return best !== undefined && best.hits >= ENOUGH * total ? best.chunk : undefined;
  }
}

const MIN_WORDS = 4;
const MAX_WORDS = 30;
const MIN_CONTENT_WORDS = 3;
const MIN_SHARED_WORDS = 2;

/** Kinds of commits, by the prefix of conventional commits, that change no behaviour. */
const NOT_ABOUT_CODE = /^(docs?|style|chore|ci|build|tests?|release|deps|lint|format|types?)(\([^)]*\))?!?:/i;
const SAYS_NOTHING = /^(merge|revert|reapply|bump|release|version|wip|fixup|squash|amend|initial commit|update (dependencies|deps|changelog|readme)|v?\d+\.\d+)|\b(typos?|lint(er|ing)?|whitespace|changelog|readme|prettier|clang-format|flake8|gofmt|rustfmt|review comments?|nits?|clean-?up)\b/i;
const PREFIX = /^(feat|feature|fix|bugfix|hotfix|perf|refactor|improve|improvement|enhance|enhancement|add|change|update)(\([^)]*\))?!?:\s*/i;

/**
 * A commit's message as somebody might ask for the code: without the kind of change, numbers of issues and addresses.
 * It has to share words with the function, or it is about something that nobody would look for there.
 */
export function commitQuery({ subject }: Commit, target: FunctionChunk): Sentence {
  if (NOT_ABOUT_CODE.test(subject) || SAYS_NOTHING.test(subject)) return { problem: 'commit is not about the code' };
  const text = subject
    .replace(PREFIX, '')
    .replace(/\(?\b(?:(?:fix(?:es|ed)?|close[sd]?|resolve[sd]?|refs?|see|issue|part of)[\s:]*)?(?:[\w.-]+\/[\w.-]+)?(?:#|\bgh-)\d+\)?/gi, '')
    .replace(/\(?#\d+\)?/g, '')
    .replace(/^\s*(?:\[[^\]]{1,30}\]\s*)+/, '')
    .replace(/\[?\b[A-Z][A-Z0-9]+-\d+\b\]?:?/g, '')
    .replace(/https?:\/\/\S+/g, '')
    .replace(/:[a-z0-9_+]+:|\p{Extended_Pictographic}/gu, '')
    .replace(/`+/g, '')
    .replace(/\s+/g, ' ')
    .replace(/^[\s:;,.–-]+|[\s.:;,–-]+$/g, '');
  const words = text.split(' ').length;
  const content = new Set(codeWords(text));
  if (words < MIN_WORDS || content.size < MIN_CONTENT_WORDS) return { problem: 'commit message says too little' };
  if (words > MAX_WORDS) return { problem: `commit message over ${MAX_WORDS} words` };
  const own = new Set(codeWords(`${target.path} ${target.qualifiedName}\n${target.code}\n${target.comment?.text ?? ''}`));
  const shared = [...content].filter((word) => own.has(word)).length;
  return shared < MIN_SHARED_WORDS ? { problem: 'commit message shares no words with its function' } : { text };
}

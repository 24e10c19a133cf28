import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Language, Parser } from 'web-tree-sitter';
import { errors } from '../errors.ts';

/**
 * The grammars that are loaded, by the name of their file. C is read by the grammar of C++, which finds as much in it. The
 * last four are those of languages that an index cuts and nothing is mined from.
 */
export const grammars = ['typescript', 'tsx', 'javascript', 'python', 'go', 'rust', 'java', 'cpp', 'c-sharp', 'ruby', 'php', 'bash', 'css', 'ini', 'powershell'] as const;
export type Grammar = (typeof grammars)[number];

/** The languages that a reader of ours would name. */
export const codeLanguages = ['typescript', 'javascript', 'python', 'go', 'rust', 'java', 'c', 'cpp', 'csharp', 'ruby', 'php'] as const;
export type CodeLanguage = (typeof codeLanguages)[number];

/** How a file is read. */
export interface FileKind {
  readonly grammar: Grammar;
  readonly language: CodeLanguage;
}

const EXTENSIONS: { readonly [K in CodeLanguage]: Readonly<Record<string, Grammar>> } = {
  typescript: { ts: 'typescript', mts: 'typescript', cts: 'typescript', tsx: 'tsx' },
  javascript: { js: 'javascript', mjs: 'javascript', cjs: 'javascript', jsx: 'javascript' },
  python: { py: 'python', pyw: 'python' },
  go: { go: 'go' },
  rust: { rs: 'rust' },
  java: { java: 'java' },
  c: { c: 'cpp', h: 'cpp' },
  cpp: { cc: 'cpp', cpp: 'cpp', cxx: 'cpp', 'c++': 'cpp', hh: 'cpp', hpp: 'cpp', hxx: 'cpp', 'h++': 'cpp', ipp: 'cpp', inl: 'cpp', tpp: 'cpp' },
  csharp: { cs: 'c-sharp' },
  ruby: { rb: 'ruby', rake: 'ruby' },
  php: { php: 'php' },
};

const KINDS = new Map<string, FileKind>(
  codeLanguages.flatMap((language) =>
    Object.entries(EXTENSIONS[language]).map(([extension, grammar]) => [`.${extension}`, { grammar, language }] as const),
  ),
);

/** The extensions of the files that are parsed, with their dot. */
export const sourceExtensions: readonly string[] = [...KINDS.keys()];

/** How a file is read, by its name; undefined for one that is not parsed. */
export function grammarOf(file: string): FileKind | undefined {
  return KINDS.get(path.extname(file).toLowerCase());
}

/** Languages whose functions call each other by name, under the name of one of them. */
export function familyOf(language: CodeLanguage): CodeLanguage {
  if (language === 'javascript') return 'typescript';
  return language === 'c' ? 'cpp' : language;
}

let runtime: Promise<void> | undefined;
const languages = new Map<Grammar, Promise<Language>>();

/**
 * Loads a grammar, once a process.
 *
 * @throws NOT_FOUND where the installation lacks the file
 */
export async function loadGrammar(grammar: Grammar): Promise<Language> {
  await (runtime ??= readGrammar('web-tree-sitter/web-tree-sitter.wasm').then((wasmBinary) => Parser.init({ wasmBinary })));
  let language = languages.get(grammar);
  if (language === undefined) {
    language = readGrammar(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${grammar}.wasm`).then((bytes) => Language.load(bytes));
    languages.set(grammar, language);
  }
  return language;
}

/** A bundle carries its grammars in `grammars/` beside itself; from source they are where npm put them. */
async function readGrammar(specifier: string): Promise<Uint8Array<ArrayBuffer>> {
  const beside = fileURLToPath(new URL(`./grammars/${path.basename(specifier)}`, import.meta.url));
  try {
    return await readFile(existsSync(beside) ? beside : createRequire(import.meta.url).resolve(specifier));
  } catch (cause) {
    throw errors.notFound(`${path.basename(specifier)} is missing from this installation: install L3Prune again.`, cause);
  }
}

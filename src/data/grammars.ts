import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Language, Parser } from 'web-tree-sitter';
import { errors } from '../errors.ts';

/** The grammars that are loaded, by the name of their file. */
export type Grammar = 'typescript' | 'tsx' | 'javascript';

/** The languages that a reader of ours would name. */
export type CodeLanguage = 'typescript' | 'javascript';

const GRAMMARS: Readonly<Record<string, { readonly grammar: Grammar; readonly language: CodeLanguage }>> = {
  '.ts': { grammar: 'typescript', language: 'typescript' },
  '.mts': { grammar: 'typescript', language: 'typescript' },
  '.cts': { grammar: 'typescript', language: 'typescript' },
  '.tsx': { grammar: 'tsx', language: 'typescript' },
  '.js': { grammar: 'javascript', language: 'javascript' },
  '.mjs': { grammar: 'javascript', language: 'javascript' },
  '.cjs': { grammar: 'javascript', language: 'javascript' },
  '.jsx': { grammar: 'javascript', language: 'javascript' },
};

/** The grammar and the language of a file by its name, undefined for one that we do not parse. */
export function grammarOf(file: string): { readonly grammar: Grammar; readonly language: CodeLanguage } | undefined {
  return GRAMMARS[path.extname(file).toLowerCase()];
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

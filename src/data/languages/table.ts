import type { CodeLanguage } from '../grammars.ts';
import { cFamily } from './c-family.ts';
import { csharp } from './csharp.ts';
import { go } from './go.ts';
import { java } from './java.ts';
import { php } from './php.ts';
import { python } from './python.ts';
import { ruby } from './ruby.ts';
import type { LanguageRules } from './rules.ts';
import { rust } from './rust.ts';
import { script } from './script.ts';

/** What is known of each language; one without its rules does not compile. */
export const languageRules: { readonly [K in CodeLanguage]: LanguageRules } = {
  typescript: script,
  javascript: script,
  python,
  go,
  rust,
  java,
  c: cFamily,
  cpp: cFamily,
  csharp,
  ruby,
  php,
};

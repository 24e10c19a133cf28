/** Licences (SPDX identifiers) under which code may be used for whatever one likes, as long as its authors are named. */
const PERMISSIVE = new Set(
  `0bsd afl-2.1 apache-2.0 artistic-2.0 blueoak-1.0.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 cc0-1.0 cnri-python hpnd
  isc mit mit-0 mit-cmu ncsa postgresql psf-2.0 python-2.0 python-2.0.1 unicode-3.0 unlicense upl-1.0 wtfpl x11 zlib zpl-2.1`.split(/\s+/),
);

/** What people write in place of an identifier of those. */
const NAMES = [
  /^(the )?(mit|expat)( no attribution)?( licen[sc]e)?( \(mit(-0)?\))?$/i,
  /^(the )?(apache|asl)\b[\s\w.,-]*$/i,
  /^((the|new|modified|simplified|revised|\(?[23][- ]clause\)?) )*bsd\b[\s\w.,()-]*$/i,
  /^(the )?isc( licen[sc]e)?( \(iscl\))?$/i,
  /^(the )?(python software foundation|psf)\b[\s\w.]*$/i,
  /^(zlib\/libpng|(the )?unlicense|boost software|historical permission notice|cc0 1\.0)\b[\s\w.()-]*$/i,
  /^zope public licen[sc]e$/i,
  /^public domain$/i,
];
const OTHERS = /gpl|gnu|affero|mpl|proprietary|commercial|clause clear|commons clause/i;

/**
 * Whether a licence, as an SPDX expression ("MIT OR GPL-2.0-only") of identifiers or common names, lets everybody use the
 * code for whatever they like. What is not known is not permissive.
 */
export function isPermissive(licence: string): boolean {
  if (!OPERATOR.test(licence)) return isPermissiveAlone(licence);
  const expression = new Expression(licence.split(/(\(|\)|\bAND\b|\bOR\b|\bor\b)/).map((part) => part.trim()).filter((part) => part !== ''));
  const value = expression.anyOf();
  return value && expression.isAtEnd;
}

const OPERATOR = /\b(AND|OR|or)\b/;

/** One identifier, with an exception or without (which only adds permissions), or one name. */
function isPermissiveAlone(licence: string): boolean {
  const plain = licence.replace(/\s+WITH\s+\S+$/, '').trim();
  return PERMISSIVE.has(plain.toLowerCase()) || (NAMES.some((pattern) => pattern.test(plain)) && !OTHERS.test(plain));
}

/** SPDX expressions, annex D of the SPDX specification 2.3: OR binds less than AND. */
class Expression {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  anyOf(): boolean {
    let value = this.#allOf();
    while (this.#takes('OR')) value = this.#allOf() || value;
    return value;
  }

  #allOf(): boolean {
    let value = this.#licence();
    while (this.#takes('AND')) value = this.#licence() && value;
    return value;
  }

  #licence(): boolean {
    if (!this.#takes('(')) return isPermissiveAlone(this.#tokens[this.#at++] ?? '');
    const value = this.anyOf();
    return this.#takes(')') && value;
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at]?.toUpperCase() !== token) return false;
    this.#at++;
    return true;
  }
}

/** What a wheel's METADATA says of its licence: the expression, or all that it is classified as, or its name. */
export function licenceOfMetadata(metadata: string): string | undefined {
  const head = (metadata.split(/\r?\n\r?\n/, 1)[0] as string).replace(/\r/g, '');
  const field = (name: string): string[] => Array.from(head.matchAll(new RegExp(`^${name}:[^\\S\\n]*(.+)$`, 'gim')), ([, value]) => (value as string).trim());
  const expression = field('License-Expression')[0];
  if (expression !== undefined) return expression;
  const classified = field('Classifier').flatMap((text) => /^License :: (?:OSI Approved :: )?(?!OSI Approved$)(.+)$/.exec(text)?.[1]?.replace(/ \([^)]*\)$/, '') ?? []);
  const name = field('License')[0];
  // The name may say that one can choose, which classifiers cannot.
  if (name !== undefined && OPERATOR.test(name) && isPermissive(name)) return name;
  if (classified.length > 0) return classified.join(' AND ');
  return name === 'UNKNOWN' ? undefined : name;
}

/** What a package.json says of its licence, in today's way or one of npm's earlier ones. */
export function licenceOfManifest({ license, licenses }: { readonly license?: unknown; readonly licenses?: unknown }): string | undefined {
  const typeOf = (value: unknown): string | undefined => {
    if (typeof value === 'string') return value;
    const type = (value as { readonly type?: unknown } | null | undefined)?.type;
    return typeof type === 'string' ? type : undefined;
  };
  const several = Array.isArray(licenses) ? licenses.flatMap((each) => typeOf(each) ?? []) : [];
  return typeOf(license) ?? (several.length > 0 ? several.join(' OR ') : undefined);
}

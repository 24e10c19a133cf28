import { Random } from '../../random.ts';
import { type CodeLanguage, codeLanguages } from '../grammars.ts';
import type { SourcePackage } from '../packages.ts';
import { Skipped } from '../walk.ts';
import { MinedRows } from './rows.ts';
import { type Side, sideOf } from './split.ts';
import { type MineKind, mineKinds } from './triplet.ts';

export interface MineOptions {
  readonly seed: number;
  /** Stops at that many rows, held-out ones among them. */
  readonly limit: number;
  /** All where left out. A function has one row at most, of the first kind in the order of `mineKinds` that it has. */
  readonly kinds?: readonly MineKind[];
  /** All where left out. */
  readonly languages?: readonly CodeLanguage[];
  /** Of each row, at most; 1 where left out. */
  readonly negatives?: number;
  /** Of the files whose rows are held out, 0 to 1; 0 where left out. */
  readonly heldOutShare?: number;
  /** Whether what is installed in a workspace is mined with it; true where left out. */
  readonly dependencies?: boolean;
  /** Hashes (`normalizedFunctionHash`) of functions that stand in no row. */
  readonly exclude?: ReadonlySet<string>;
  /** Leaves a function's name in the code of a row whose query is that name. */
  readonly keepNames?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What options mean, and what all packages share. */
export interface MineContext {
  readonly options: Required<Omit<MineOptions, 'signal' | 'dependencies'>> & Pick<MineOptions, 'signal'>;
  readonly random: Random;
  readonly skipped: Skipped;
  readonly rows: MinedRows;
  readonly sideOf: (source: SourcePackage, relative: string) => Side;
}

export function contextOf(options: MineOptions): MineContext {
  const { seed, limit, kinds = mineKinds, languages = codeLanguages, negatives = 1, heldOutShare = 0, exclude = new Set(), keepNames = false, signal } = options;
  return {
    options: { seed, limit, kinds: mineKinds.filter((kind) => kinds.includes(kind)), languages, negatives, heldOutShare, exclude, keepNames, signal },
    random: Random.fromSeed(seed),
    skipped: new Skipped(),
    rows: new MinedRows(),
    sideOf: ({ own, name }, relative) => sideOf(own ? relative : `${name}/${relative}`, heldOutShare, seed),
  };
}

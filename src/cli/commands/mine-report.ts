import { codeLanguages } from '../../data/grammars.ts';
import type { FoundRows } from '../../data/mine.ts';
import { mineKinds } from '../../data/mine/triplet.ts';
import { table } from '../output.ts';

/** Rows by kind and language, those to train on before those that are held out, and a line of what was left out. */
export function foundTable(found: readonly FoundRows[], skipped: Readonly<Record<string, number>>): string {
  const kinds = mineKinds.filter((kind) => found.some((each) => each.kind === kind));
  const languages = codeLanguages.filter((language) => found.some((each) => each.language === language));
  const count = (rows: readonly FoundRows[]): string => {
    const held = rows.reduce((sum, each) => sum + each.heldOut, 0);
    const all = rows.reduce((sum, each) => sum + each.count, 0);
    return held === 0 ? String(all) : `${all} + ${held}`;
  };
  const rowOf = (name: string, rows: readonly FoundRows[]): string[] => [name, ...kinds.map((kind) => count(rows.filter((each) => each.kind === kind))), count(rows)];
  const reasons = reasonsOf(skipped);
  return (
    table([['', ...kinds, 'all'], ...languages.map((language) => rowOf(language, found.filter((each) => each.language === language))), rowOf('all', found)]) +
    (reasons.length === 0 ? '' : `left out: ${reasons.join(', ')}\n`)
  );
}

/** "12 minified" for each reason, the most frequent first. */
export function reasonsOf(skipped: Readonly<Record<string, number>>): string[] {
  return Object.entries(skipped)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${count} ${reason}`);
}

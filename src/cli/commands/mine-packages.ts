import { type Collected, collectPackages, type CollectOptions } from '../../data/collect/collection.ts';
import { readPackageList } from '../../data/collect/package-list.ts';
import type { ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { foundTable } from './mine-report.ts';

/** What `l3prune mine --packages` takes beside what every mining does. */
export interface PackagesOptions extends ReportOptions {
  readonly packages: string;
  readonly out: string;
  readonly packageLimit: number;
  readonly excludePackages?: readonly string[];
  readonly force?: true;
}

/** Fetches and mines the packages of a list into a folder, showing how far it is, and says what was found. */
export async function minePackages(options: PackagesOptions, settings: Omit<CollectOptions, 'limit' | 'excludedPackages'>): Promise<void> {
  const { out, packageLimit, force } = options;
  const listed = await readPackageList(options.packages);
  const excludedPackages = (await Promise.all((options.excludePackages ?? []).map(readPackageList))).flat();
  const line = new ProgressLine();
  const collecting = collectPackages(listed, out, { ...settings, limit: packageLimit, excludedPackages, force });
  const collected = await showSteps(collecting, line, ({ packagesDone, packages, rows }) => line.show('mining packages', packagesDone, packages, `${rows} rows`));
  const { triplets, heldOut, ...rest } = collected;
  if (options.json) await printJson({ out, triplets: triplets.length, heldOut: heldOut.length, ...rest });
  else await print(`${describeCollected(collected)}written to ${out}\n`);
}

function describeCollected({ triplets, heldOut, found, packages, failed, excluded, skipped }: Collected): string {
  const refused = packages.filter(({ refused }) => refused !== undefined);
  const lines = [
    ...refused.map(({ package: name, refused: why, licence }) => `refused ${name}: ${why}${licence === null ? '' : ` (${licence.slice(0, 60)})`}`),
    ...failed.map(({ package: name, reason }) => `failed ${name}: ${reason}`),
    ...(excluded.length === 0 ? [] : [`excluded: ${excluded.join(', ')}`]),
  ];
  const held = heldOut.length === 0 ? '' : ` and ${heldOut.length} held out`;
  return `${triplets.length} rows${held} from ${packages.length - refused.length} packages\n${foundTable(found, skipped)}${lines.map((text) => `${text}\n`).join('')}`;
}

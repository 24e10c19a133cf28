import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Whether this machine runs on its battery; undefined where nothing tells, as on systems other than Linux. */
export function isOnBattery(powerSupplies = '/sys/class/power_supply'): boolean | undefined {
  const mains = namesIn(powerSupplies).filter((supply) => read(powerSupplies, supply, 'type') === 'Mains');
  const online = mains.flatMap((supply) => read(powerSupplies, supply, 'online') ?? []);
  return online.length === 0 ? undefined : online.every((is) => is === '0');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Some supplies do not tell everything, or are pulled out just now. */
function read(...path: string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'utf8').trim();
  } catch {
    return undefined;
  }
}

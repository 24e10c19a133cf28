import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Whether this machine runs on its battery; undefined where nothing tells, as on systems other than Linux. */
export function isOnBattery(powerSupplies = '/sys/class/power_supply'): boolean | undefined {
  try {
    const read = (supply: string, what: string): string => readFileSync(join(powerSupplies, supply, what), 'utf8').trim();
    const mains = readdirSync(powerSupplies).filter((supply) => read(supply, 'type') === 'Mains');
    return mains.length === 0 ? undefined : mains.every((supply) => read(supply, 'online') === '0');
  } catch {
    return undefined;
  }
}

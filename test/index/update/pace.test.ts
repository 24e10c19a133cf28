import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { computingFolder, isAnnounced } from '../../../src/announce.ts';
import type { IndexLocation } from '../../../src/index/location.ts';
import { isOnBattery } from '../../../src/index/update/battery.ts';
import { Pace, type PaceOptions } from '../../../src/index/update/pace.ts';

vi.mock('../../../src/announce.ts', { spy: true });

let home: string;
let location: IndexLocation;
let options: PaceOptions;
let isLost: boolean;
/** Another process that lives. */
const other = String(process.ppid);

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'l3prune-pace-'));
  onTestFinished(() => rm(home, { recursive: true }));
  location = { root: home, folder: home, database: '', lock: '', waiting: path.join(home, 'waiting') };
  isLost = false;
  options = { home, location, lock: { isLost: async () => isLost, release: async () => undefined }, regardless: false, powerSupplies: path.join(home, 'supplies') };
  await mkdir(location.waiting);
  await mkdir(computingFolder(home));
  vi.mocked(isAnnounced).mockClear();
});

/** Waits until there have been so many looks at whether somebody waits. */
async function looks(count: number): Promise<void> {
  await vi.waitFor(() => expect(vi.mocked(isAnnounced).mock.calls.length).toBeGreaterThanOrEqual(count), { interval: 5, timeout: 10_000 });
}

async function supply(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = path.join(home, 'supplies', name);
  await mkdir(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(path.join(folder, file), `${content}\n`);
}

describe('embedding', () => {
  test('that nobody disturbs goes on at once, in runs of any length', async () => {
    const pace = new Pace(options);
    expect(await pace.wait().next()).toEqual({ done: true, value: undefined });
    expect(pace.mostSeconds()).toBe(Infinity);
  });

  test('begins no run while a query waits, and short ones when it has been answered', async () => {
    const waiter = path.join(location.waiting, other);
    await writeFile(waiter, '');
    const pace = new Pace(options);
    let isDone = false;
    const waiting = pace.wait().next().finally(() => (isDone = true));
    await looks(4);
    expect(isDone).toBe(false);
    await rm(waiter);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(pace.mostSeconds()).toBe(0.1);
  });

  test('does not wait for one that waits for ever', async () => {
    await writeFile(path.join(location.waiting, other), '');
    const pace = new Pace(options);
    expect(await pace.wait().next()).toEqual({ done: true, value: undefined });
    expect(vi.mocked(isAnnounced).mock.calls.length).toBeGreaterThan(10);
    expect(pace.mostSeconds()).toBe(0.1);
  });

  test('stands still while a training runs, says so, and goes on after it', async () => {
    const training = path.join(computingFolder(home), other);
    await writeFile(training, '');
    const waiting = new Pace(options).wait();
    expect(await waiting.next()).toEqual({ done: false, value: 'a training has the machine' });
    expect(await waiting.next()).toEqual({ done: false, value: 'a training has the machine' });
    await rm(training);
    expect(await waiting.next()).toEqual({ done: true, value: undefined });
  });

  test('stands still on a battery, and says so', async () => {
    await supply('AC', { type: 'Mains', online: '0' });
    expect(await new Pace(options).wait().next()).toEqual({ done: false, value: 'the machine runs on battery' });
  });

  test('goes on regardless of both where it is asked to', async () => {
    await writeFile(path.join(computingFolder(home), other), '');
    await supply('AC', { type: 'Mains', online: '0' });
    expect(await new Pace({ ...options, regardless: true }).wait().next()).toMatchObject({ done: true });
  });

  test('ends when another process has taken over, also where that happens while it stands still', async () => {
    await writeFile(path.join(computingFolder(home), other), '');
    const waiting = new Pace(options).wait();
    await waiting.next();
    isLost = true;
    await expect(waiting.next()).rejects.toMatchObject({ code: 'BUSY' });
    await expect(new Pace({ ...options, regardless: true }).wait().next()).rejects.toMatchObject({ code: 'BUSY' });
  });
});

describe('a machine', () => {
  const supplies = (): string => path.join(home, 'supplies');

  test('that says nothing of its supplies may run on anything', async () => {
    expect(isOnBattery(supplies())).toBeUndefined();
    await supply('BAT0', { type: 'Battery', status: 'Discharging' });
    expect(isOnBattery(supplies())).toBeUndefined();
  });

  test('runs on its battery where no mains is online', async () => {
    await supply('BAT0', { type: 'Battery' });
    await supply('AC', { type: 'Mains', online: '0' });
    expect(isOnBattery(supplies())).toBe(true);
    await supply('ADP1', { type: 'Mains', online: '1' });
    expect(isOnBattery(supplies())).toBe(false);
  });

  test('is believed where one of its supplies says nothing', async () => {
    await supply('odd', {});
    await supply('pulled', { type: 'Mains' });
    await supply('AC', { type: 'Mains', online: '0' });
    expect(isOnBattery(supplies())).toBe(true);
  });
});

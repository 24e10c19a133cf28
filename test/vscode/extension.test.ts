/**
 * The extension as people have it: the VSIX of `dist/` as it is built, installed in a real VS Code, and driven in a browser.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tensorflowFolder } from '../../src/engine/tensorflow/location.ts';
import { installed, tensorflowHome } from '../engine/tensorflow-engine.ts';
import { waitingNpm, workingTools, writeTools } from '../engine/tools.ts';
import { skipBecause } from '../skips.ts';
import { findVsCode, type VsCode } from './install.ts';
import { startServer, type Server } from './server.ts';
import { Workbench } from './workbench.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const state = path.join(root, 'test', 'vscode', '.state');
const vsix = path.join(state, 'l3prune.vsix');
const workspace = path.join(state, 'workspace');
const home = path.join(state, 'data');
const model = path.join(workspace, 'tiny-llama');
const triplets = path.join(workspace, 'triplets.jsonl');
const manyTriplets = path.join(workspace, 'many.jsonl');
/** Programs that install nothing lie here; npm never ends, and says by a file that it runs. */
const programs = path.join(state, 'programs');
const npmRuns = path.join(state, 'npm.pid');
const longTriplets = path.join(workspace, 'long.jsonl');

/** The ways to call the command with an object are agents, tasks and keybindings; a test has keybindings. */
const keybindings = [
  binding('ctrl+alt+1', { model, data: { kind: 'triplets', path: triplets }, depths: [{ kind: 'layers', layers: 2 }], settings: { batchSize: 4 } }),
  binding('ctrl+alt+2', { model, data: { kind: 'triplets', path: longTriplets }, settings: { batchSize: 32, batches: 1000, maxLength: 256 } }),
];

const found = await findVsCode();
if ('missing' in found) skipBecause(found.missing);

describe.skipIf('missing' in found)('L3Prune in a real VS Code', () => {
  let server: Server;
  let workbench: Workbench;

  beforeAll(async () => {
    const code = found as VsCode;
    await rm(state, { recursive: true, force: true });
    await mkdir(workspace, { recursive: true });
    await cp(path.join(root, 'test', 'fixtures', 'llama', 'model'), model, { recursive: true });
    await cp(path.join(root, 'test', 'vscode', 'fixtures', 'triplets.jsonl'), triplets);
    await writeTools(programs, { ...workingTools, npm: waitingNpm(npmRuns) });
    await writeFile(manyTriplets, madeUpTriplets(8 * 64, 4));
    await writeFile(longTriplets, madeUpTriplets(100 * 32, 60));
    await promisify(execFile)(process.execPath, [path.join(root, 'scripts', 'package.mjs'), '--skip-build', '--out', vsix]);
    server = await startServer(code, { state: path.join(state, 'server'), vsix, folder: workspace, settings: { 'l3prune.home': home }, keybindings, programs });
    workbench = await Workbench.open(code.chromium, server.url);
  });

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await screenshot('at-failure');
  });

  afterAll(async () => {
    await workbench?.[Symbol.asyncDispose]();
    await server?.kill();
  });

  it('says what to do first while there is no checkpoint', async () => {
    await workbench.openView();
    await workbench.page.getByText('No checkpoint yet').waitFor();
    await screenshot('welcome');
  });

  it('asks for model, data and depth, and goes back a step when asked to', async () => {
    await workbench.command('L3Prune: Prune Model');
    await expect.poll(() => workbench.question().textContent()).toBe('L3Prune: Prune Model (1/3)');
    await workbench.choose('A folder…');
    await workbench.openFolder('tiny-llama');
    await workbench.choice("This workspace's own code").waitFor();
    await screenshot('question');
    await workbench.choose('A file of triplets…');
    await workbench.openFile('many.jsonl');
    await workbench.choice('Small and large').waitFor();
    await workbench.page.locator('.quick-input-widget:visible .action-label[aria-label^="Back"]').click();
    await workbench.choose('A file of triplets…');
    await workbench.openFile('many.jsonl');
    await workbench.choice('Small and large').waitFor();
    await workbench.page.keyboard.press('Enter');
  });

  it('draws the loss by layer in the panel and marks both cuts', async () => {
    const panel = workbench.panel();
    await panel.locator('.plot canvas').waitFor();
    await panel.locator('.status.done').waitFor();
    expect(await panel.locator('.plot').getAttribute('aria-label')).toMatch(
      /^The loss after each of 6 layers, lowest at layer \d with .*The small cut keeps [123]\. The large cut keeps [456]\.$/,
    );
    expect(await panel.locator('tbody tr').count()).toBe(6);
    expect(await panel.locator('tbody .tag').allTextContents()).toEqual(['small', 'large']);
    expect(await panel.locator('.cuts li').count()).toBe(2);
  });

  it('shows the other scale when it is chosen with the keyboard', async () => {
    const panel = workbench.panel();
    await panel.getByRole('radio', { name: '50' }).focus();
    await workbench.page.keyboard.press('ArrowRight');
    await panel.getByText('Loss by layer at scale 20').waitFor();
  });

  it('shows the calibrated loss beside it, with its own cuts, when it is checked with the keyboard', async () => {
    const panel = workbench.panel();
    await panel.getByRole('checkbox', { name: /Calibrated loss/ }).focus();
    await workbench.page.keyboard.press('Space');
    await panel.getByRole('columnheader', { name: 'Calibrated loss' }).waitFor();
    expect((await panel.locator('tbody .tag').allTextContents()).toSorted()).toEqual(['large', 'large, calibrated', 'small', 'small, calibrated']);
    expect(await panel.locator('.plot').getAttribute('aria-label')).toContain('Calibrated, it is lowest at layer');
  });

  it('lists both checkpoints in the tree', async () => {
    await expect.poll(() => workbench.treeRows().count()).toBe(2);
    const names = await workbench.treeRows().allTextContents();
    expect(names.join('\n')).toMatch(/tiny-llama · small.*of 6 layers/);
    expect(names.join('\n')).toMatch(/tiny-llama · large.*of 6 layers/);
  });

  it.each([
    ['light', 'Light Modern', 'vscode-light'],
    ['high-contrast', 'Dark High Contrast', 'vscode-high-contrast'],
    ['dark', 'Dark Modern', 'vscode-dark'],
  ])('is drawn in the colours of the theme: %s', async (name, theme, bodyClass) => {
    await workbench.theme(theme, bodyClass);
    await screenshot(name);
  });

  it('fits a panel of 300 pixels', async () => {
    await workbench.page.setViewportSize({ width: 658, height: 1000 });
    const width = (): Promise<number> => workbench.panel().locator('body').evaluate(() => window.innerWidth);
    await expect.poll(width).toBeLessThanOrEqual(300);
    await screenshot('narrow');
    expect(await workbench.panel().locator('body').evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBe(0);
    await workbench.page.setViewportSize({ width: 1280, height: 800 });
  });

  it('runs without a question when it is called with an object', async () => {
    await workbench.page.keyboard.press('Control+Alt+1');
    await workbench.panel().getByText('A checkpoint with 2 of 6 layers').waitFor();
    await expect.poll(() => workbench.treeRows().count()).toBe(3);
  });

  it('draws the curve while it is measured, and cancels from the notification', async () => {
    await workbench.page.keyboard.press('Control+Alt+2');
    await workbench.panel().locator('.status.running progress[value]').waitFor();
    await workbench.panel().locator('.plot canvas').waitFor();
    await workbench.panel().getByText('Loss by layer so far').waitFor();
    expect(await workbench.panel().locator('.status').getAttribute('class')).toBe('status running');
    await screenshot('running');
    await workbench.notification('Pruning tiny-llama').getByRole('button', { name: 'Cancel' }).click();
    await workbench.panel().locator('.status.cancelled').waitFor();
  });

  it('cancels from the panel, with the keyboard', async () => {
    await workbench.page.keyboard.press('Control+Alt+2');
    await workbench.panel().locator('.status.running progress[value]').waitFor();
    await workbench.panel().getByRole('button', { name: 'Cancel' }).focus();
    await workbench.page.keyboard.press('Enter');
    await workbench.panel().locator('.status.cancelled').waitFor();
    await expect.poll(() => workbench.treeRows().count()).toBe(3);
  });

  it('installs TensorFlow when that is asked for, and cancels it from the notification', async () => {
    await workbench.command('L3Prune: Install TensorFlow Engine');
    await workbench.choose('On the CPU');
    const notification = workbench.notification('Installing TensorFlow');
    await expect.poll(() => existsSync(npmRuns), { timeout: 20_000 }).toBe(true);
    await notification.getByText('installing @tensorflow/tfjs-node with npm').waitFor();
    await screenshot('installing');
    await notification.getByRole('button', { name: 'Cancel' }).click();
    await notification.waitFor({ state: 'detached' });
    await expect.poll(() => readdir(path.join(home, 'engines')), { timeout: 2_000 }).toEqual([]);
  });

  it.skipIf(installed === undefined)('says what TensorFlow is installed, and removes it', async () => {
    const place = tensorflowFolder(home);
    await symlink(tensorflowFolder(tensorflowHome), place);
    await workbench.command('L3Prune: Install TensorFlow Engine');
    await workbench.choose('On the CPU');
    await workbench.notification(/TensorFlow 2\.\S+ works: \S+ GB in/).waitFor({ timeout: 60_000 });
    await workbench.command('L3Prune: Remove TensorFlow Engine');
    await workbench.notification('TensorFlow was removed from').waitFor();
    expect(existsSync(place)).toBe(false);
  });

  it('says in a sentence with a code what failed, and offers the log', async () => {
    await workbench.command('L3Prune: Prune Model');
    await workbench.choose('A folder…');
    await workbench.openFolder();
    await workbench.choose("This workspace's own code");
    await workbench.choose('Small and large');
    const notification = workbench.notification(/\([A-Z_]+\)/);
    await notification.waitFor();
    await screenshot('failed');
    await notification.getByRole('button', { name: 'Open Log' }).click();
    await workbench.page.locator('.part.panel .composite.title', { hasText: 'Output' }).waitFor();
  });

  it('wrote no error to the console but the one that was shown', () => {
    expect(workbench.errors.filter((error) => !error.includes('cannot be read: there is no such file'))).toEqual([]);
  });

  it('shows the panel again after the window was reloaded', async () => {
    const message = await workbench.panel().locator('.status .message').textContent();
    await Promise.all([workbench.page.waitForEvent('load'), workbench.command('Developer: Reload Window')]);
    await expect.poll(() => workbench.panel().locator('.status .message').textContent(), { timeout: 30_000 }).toBe(message);
    // The workbench itself complains while it goes down and comes up; nothing of ours may.
    expect(workbench.errors.filter((error) => /l3prune\.l3prune-|Content Security Policy/.test(error))).toEqual([]);
  });

  it('leaves no worker two seconds after everything else was killed, in the middle of a job', async () => {
    await workbench.command('L3Prune: Show Panel');
    await workbench.page.keyboard.press('Control+Alt+2');
    await workbench.panel().locator('.status.running progress[value]').waitFor();
    expect((await server.workers()).length).toBe(1);
    await server.killAllButWorkers();
    await expect.poll(() => server.workers(), { timeout: 2_000, interval: 100 }).toEqual([]);
  });

  async function screenshot(name: string): Promise<void> {
    await workbench.page.screenshot({ path: path.join(state, `${name}.png`) });
  }
});

function binding(key: string, args: unknown): unknown {
  return { key, command: 'l3prune.pruneModel', args };
}

/** Rows in which the answer shares words with the question, of about `words` words each. */
function madeUpTriplets(count: number, words: number): string {
  const subjects = ['river', 'engine', 'garden', 'letter', 'winter', 'market', 'bridge', 'violin', 'harbour', 'forest', 'kitchen'];
  const say = (start: number): string => Array.from({ length: words }, (_, index) => subjects[(start + index * 3) % subjects.length]).join(' ');
  const rows = Array.from({ length: count }, (_, row) => ({
    query: `question ${row} about the ${say(row)}`,
    positive: `answer ${row} tells of the ${say(row)}`,
    negative: `remark ${row + 1} is about the ${say(row + 5)}`,
  }));
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

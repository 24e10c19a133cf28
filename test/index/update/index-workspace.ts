/**
 * Brings a workspace's index up to date, to be killed while it does: `node index-workspace.ts HOME WORKSPACE MODEL`. Writes
 * a line of JSON for each step.
 */
import process from 'node:process';
import { WorkspaceIndex } from '../../../src/index/update/update.ts';

const [home, workspace, model] = process.argv.slice(2) as [string, string, string];
const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
const index = await WorkspaceIndex.open(workspace, { home, threads: 1, rules: {}, regardless: true });
const steps = index.update({ model, layers: 1 });
for (;;) {
  const step = await steps.next();
  say(step.value);
  if (step.done) break;
}
await index.close();

import { beforeEach, describe, expect, it } from 'vitest';
import { triplets } from './data.ts';
import { expectFailure, LLAMA, names, snapshot, useCli, type Started } from './harness.ts';
import { enlarge } from './weights.ts';

const cli = useCli();
/** Generous beside the second that is promised: other tests compute at the same time. */
const promptly = 5_000;

/** Interrupts a run when it has said something, and holds its end to what Ctrl-C promises. */
async function interrupt({ child, ended }: Started, said: 'stdout' | 'stderr', signals = 1): Promise<string> {
  await new Promise((resolve) => child[said].once('data', resolve));
  const started = performance.now();
  for (let i = 0; i < signals; i++) child.kill('SIGINT');
  const ran = await ended;
  expect(performance.now() - started).toBeLessThan(promptly);
  expectFailure(ran, 'CANCELLED', /^l3prune: Cancelled\. \[CANCELLED\]$/);
  return ran.stderr;
}

describe('Ctrl-C', () => {
  beforeEach(async () => {
    await cli.write('data.jsonl', triplets.repeat(200));
    await cli.model('large', (folder) => enlarge(folder, { layers: 24, width: 4096 }));
  });

  it('in the middle of a profile ends it with 130, and says that it was heard', async () => {
    const profile = cli.start(['profile', '--model', 'large', '--data', 'data.jsonl', '--batch-size', '64', '--json']);
    expect(await interrupt(profile, 'stderr')).toContain('Stopping after the step that is running');
  });

  it('in the middle of a cut leaves nothing half-written, and the old checkpoint as it was', async () => {
    await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', 'out']);
    const before = await snapshot(cli.path('out'));
    const prune = cli.start(['prune', '--model', 'large', '--small', '--data', 'data.jsonl', '--batch-size', '8', '--out', 'out', '--force']);
    await interrupt(prune, 'stderr');
    expect(await snapshot(cli.path('out'))).toEqual(before);
    expect(await names(cli.path())).toEqual(['data.jsonl', 'home', 'large', 'out']);
  });

  it('ends embed while it waits for its input', async () => {
    const embed = cli.start(['embed', '--model', LLAMA, '--layer', '1']);
    embed.child.stdin.write('a text\n'.repeat(300));
    await interrupt(embed, 'stdout');
  });

  it('ends embed while it waits for a reader that has stopped reading', async () => {
    const embed = cli.start(['embed', '--model', LLAMA]);
    embed.child.stdin.end('a text\n'.repeat(3_000));
    await new Promise((resolve) => embed.child.stdout.once('data', resolve));
    embed.child.stdout.pause();
    embed.child.kill('SIGINT');
    const code = await new Promise((resolve) => embed.child.once('exit', resolve));
    expect(code).toBe(130);
    embed.child.stdout.resume();
    await embed.ended;
  });
});

import { fork } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError } from '../../src/errors.ts';
import { echo, misbehave, stepDone, steps, type Misbehaviour } from './fixtures/protocol.ts';
import { buildTestWorker, lifeline, within, type BuiltWorker } from './harness.ts';
import type { RunningJob, WorkerClient } from '../../src/extension/workerClient.ts';

let built: BuiltWorker;
beforeAll(async () => {
  built = await buildTestWorker();
});
afterAll(() => built[Symbol.asyncDispose]());

const silent = { type: stepDone, onProgress: (): void => undefined };

function doesBadly(client: WorkerClient, how: Misbehaviour): RunningJob<null> {
  return client.startJob(misbehave, { how }, silent);
}

/** Starts a job of steps and resolves when its first step is reported. */
async function stepping(client: WorkerClient, params: { steps: number; milliseconds: number }): Promise<RunningJob<number>> {
  let job: RunningJob<number> | undefined;
  await new Promise<void>((resolve) => {
    job = client.startJob(steps, params, { type: stepDone, onProgress: () => resolve() });
    job.result.catch(() => undefined);
  });
  return job!;
}

describe('a worker that behaves', () => {
  it('is one process for many requests', async () => {
    const client = built.client();
    const pids = [await client.request(echo), await client.request(echo)];
    expect(pids[0]).toBe(pids[1]);
  });

  it('reports the progress of a job in order, and its result', async () => {
    const seen: number[] = [];
    const job = built.client().startJob(steps, { steps: 3, milliseconds: 0 }, { type: stepDone, onProgress: ({ step }) => seen.push(step) });
    expect(await job.result).toBe(3);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it('runs one job at a time and answers small requests between the steps', async () => {
    const client = built.client();
    const order: string[] = [];
    const first = client.startJob(steps, { steps: 3, milliseconds: 5 }, { type: stepDone, onProgress: () => order.push('first') });
    const second = client.startJob(steps, { steps: 1, milliseconds: 0 }, { type: stepDone, onProgress: () => order.push('second') });
    await client.request(echo).then(() => order.push('echo'));
    await Promise.all([first.result, second.result]);
    expect(order.filter((entry) => entry !== 'echo')).toEqual(['first', 'first', 'first', 'first', 'second', 'second']);
    expect(order.at(-1)).not.toBe('echo');
  });

  it('passes an error on with its code and sentence', async () => {
    await expect(doesBadly(built.client(), 'fail').result).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: 'The data is bad: give better data.',
    });
  });

  it('passes a defect on as INTERNAL, in one sentence', async () => {
    await expect(doesBadly(built.client(), 'fail unexpectedly').result).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'Something went wrong inside L3Prune: x is not a function',
    });
  });

  it('ends when it is idle, and another answers the next request', async () => {
    const line = await lifeline();
    const client = built.client({ idleMilliseconds: 0, env: () => ({ TEST_LIFELINE_PORT: String(line.port) }) });
    const first = await client.request(echo);
    await line.closed;
    expect(await client.request(echo)).not.toBe(first);
  });

  it('is replaced after a changed setting, once it is idle', async () => {
    let setting = 'before';
    const client = built.client({ env: () => ({ TEST_SETTING: setting }) });
    const first = await client.request(echo);
    setting = 'after';
    const job = await stepping(client, { steps: 2, milliseconds: 1 });
    client.restart();
    expect(await job.result).toBe(2);
    await expect.poll(() => client.request(echo)).not.toBe(first);
  });
});

describe('a worker that does not', () => {
  it.each([
    ['exit', /exit code 3/],
    ['crash', /SIGSEGV/],
    ['talk nonsense', /no message of ours.*I am no JSON-RPC/],
  ] as const)('rejects what is pending with the reason, and another answers the next request: %s', async (how, reason) => {
    const client = built.client();
    const first = await client.request(echo);
    const waiting = client.startJob(steps, { steps: 1, milliseconds: 0 }, silent);
    waiting.result.catch(() => undefined);
    const failed = doesBadly(client, how);
    const alsoPending = client.startJob(steps, { steps: 1, milliseconds: 0 }, silent);
    await Promise.all([
      expect(failed.result).rejects.toMatchObject({ code: 'WORKER_GONE', message: expect.stringMatching(reason) }),
      expect(alsoPending.result).rejects.toMatchObject({ code: 'WORKER_GONE' }),
    ]);
    expect(await client.request(echo)).not.toBe(first);
  });

  it('is restarted with a growing delay while it keeps failing, and without one after it answered', async () => {
    const delays: number[] = [];
    const client = built.client({
      backOff: (failures) => {
        delays.push(failures);
        return 0;
      },
    });
    for (let turn = 0; turn < 3; turn++) await expect(doesBadly(client, 'exit').result).rejects.toMatchObject({ code: 'WORKER_GONE' });
    await client.request(echo);
    await expect(doesBadly(client, 'exit').result).rejects.toMatchObject({ code: 'WORKER_GONE' });
    await client.request(echo);
    expect(delays).toEqual([1, 2, 3, 1]);
  });

  it('is given up when it never says that it is ready', async () => {
    const client = built.client({ startMilliseconds: 300, env: () => ({ TEST_NEVER_READY: '1' }) });
    await expect(client.request(echo)).rejects.toMatchObject({
      code: 'WORKER_GONE',
      message: 'The worker process did not start within 0.3 s.',
    });
  });

  it('is reported when its program is missing', async () => {
    const client = built.client({ entry: `${built.worker}.missing` });
    await expect(client.request(echo)).rejects.toMatchObject({ code: 'WORKER_GONE' });
  });
});

describe('cancelling', () => {
  it('ends a job between two steps', async () => {
    const job = await stepping(built.client(), { steps: 1_000_000, milliseconds: 1 });
    expect(await job.cancel()).toEqual({ secondsInStep: 0 });
    await expect(job.result).rejects.toBeInstanceOf(CancelledError);
  });

  it('leaves the process alive for the next request', async () => {
    const client = built.client();
    const pid = await client.request(echo);
    const job = await stepping(client, { steps: 1_000_000, milliseconds: 1 });
    await job.cancel();
    await expect(job.result).rejects.toBeInstanceOf(CancelledError);
    expect(await client.request(echo)).toBe(pid);
  });

  it('is acknowledged within a second by a worker that stands inside a step', async () => {
    const job = await stepping(built.client(), { steps: 2, milliseconds: 2_500 });
    expect(await within(1_000, job.cancel())).toBeDefined();
    await expect(job.result).rejects.toBeInstanceOf(CancelledError);
  });

  it('ends the process when asked a second time, in the middle of a step', async () => {
    const line = await lifeline();
    const client = built.client({ env: () => ({ TEST_LIFELINE_PORT: String(line.port) }) });
    const pid = await client.request(echo);
    const job = await stepping(client, { steps: 1, milliseconds: 600_000 });
    await within(1_000, job.cancel());
    await job.cancel();
    await expect(job.result).rejects.toBeInstanceOf(CancelledError);
    await line.closed;
    expect(await client.request(echo)).not.toBe(pid);
  });

  it('takes a job that waits for its turn out of the queue at once', async () => {
    const client = built.client();
    const first = await stepping(client, { steps: 1_000_000, milliseconds: 1 });
    const second = client.startJob(steps, { steps: 1, milliseconds: 0 }, silent);
    await client.request(echo);
    await Promise.all([second.cancel(), expect(second.result).rejects.toBeInstanceOf(CancelledError)]);
    await first.cancel();
    await expect(first.result).rejects.toBeInstanceOf(CancelledError);
  });

  it('settles a job whose worker has not started yet', async () => {
    const job = built.client({ env: () => ({ TEST_NEVER_READY: '1' }) }).startJob(steps, { steps: 1, milliseconds: 0 }, silent);
    await Promise.all([job.cancel(), expect(job.result).rejects.toBeInstanceOf(CancelledError)]);
  });
});

describe('a worker whose host was killed', () => {
  it.each(['idle', 'busy', 'busy, without the control pipe'])('is gone within two seconds: %s', async (state) => {
    const line = await lifeline();
    const host = fork(built.parent, [built.worker, state], { env: { ...process.env, TEST_LIFELINE_PORT: String(line.port) } });
    await new Promise((resolve) => host.once('message', resolve));
    await line.connected;
    host.kill('SIGKILL');
    await within(2_000, line.closed);
  });
});

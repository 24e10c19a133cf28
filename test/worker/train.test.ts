import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorkerClient } from '../../src/extension/workerClient.ts';
import { trainModel, trainProgress, type TrainJob, type TrainProgress } from '../../src/protocol/train.ts';
import { triplets } from '../cli/data.ts';
import { LLAMA, useCli } from '../cli/harness.ts';
import { stepsOf, training } from '../cli/training.ts';

const cli = useCli();
let client: WorkerClient;

beforeEach(async () => {
  await cli.write('data.jsonl', triplets);
  const env = { L3PRUNE_HOME: cli.path('home'), L3PRUNE_THREADS: '1' };
  const log = { info: () => undefined, warn: () => undefined };
  client = new WorkerClient({ entry: fileURLToPath(new URL('../../dist/worker.mjs', import.meta.url)), env: () => env, log });
});
afterEach(() => client.dispose());

const job = (changes: Partial<TrainJob> = {}): TrainJob => ({
  model: LLAMA,
  data: [cli.path('data.jsonl')],
  out: cli.path('out'),
  depths: [{ kind: 'layers', layers: 2 }],
  settings: { loraRank: 2, loraAlpha: 4, batchSize: 4, maxLength: 96, steps: 6, lr: 1e-3 },
  calibrate: 'none',
  ...changes,
});

function start(params: TrainJob, onStep: (step: Extract<TrainProgress, { kind: 'step' }>) => void = () => undefined) {
  const onProgress = (progress: TrainProgress): void => {
    if (progress.kind === 'step') onStep(progress);
  };
  return client.startJob(trainModel, params, { type: trainProgress, onProgress });
}

describe('a training in the worker', () => {
  it('reports its steps and gives the numbers that the command line gives', async () => {
    const seen: number[] = [];
    const { checkpoints } = await start(job(), ({ metrics }) => seen.push(metrics.step)).result;
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(checkpoints).toMatchObject([{ path: cli.path('out'), steps: 6 }]);
    await cli.run(training('--out', 'by-command'));
    expect(await stepsOf(cli.path('out'))).toEqual(await stepsOf(cli.path('by-command')));
  });

  it('that is cancelled says which step is saved, and goes on from there', async () => {
    let running: ReturnType<typeof start> | undefined;
    running = start(job(), ({ metrics }) => void (metrics.step === 2 && running?.cancel()));
    await expect(running.result).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringMatching(/after step \d of 6, which is saved/) });
    await expect(start(job()).result).rejects.toMatchObject({ code: 'EXISTS' });
    expect((await start(job({ resume: true })).result).checkpoints).toMatchObject([{ steps: 6 }]);
  });
});

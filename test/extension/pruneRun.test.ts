import { describe, expect, it } from 'vitest';
import { CancelledError, errors } from '../../src/errors.ts';
import { PruneRun } from '../../src/extension/pruneRun.ts';
import type { RunningJob } from '../../src/extension/workerClient.ts';
import type { JobProgress, ProfileProgress, PruneJobResult } from '../../src/protocol/prune.ts';

/** A job that does what the test says. */
class Puppet {
  report: (progress: JobProgress) => void = () => undefined;
  finish: (result: PruneJobResult) => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;
  secondsInStep: number | undefined = 0;
  cancels = 0;

  start = (onProgress: (progress: JobProgress) => void): RunningJob<PruneJobResult> => {
    this.report = onProgress;
    return {
      result: new Promise((resolve, reject) => {
        this.finish = resolve;
        this.fail = reject;
      }),
      cancel: async () => {
        this.cancels += 1;
        return this.secondsInStep === undefined ? undefined : { secondsInStep: this.secondsInStep };
      },
    };
  };
}

function begin(): { puppet: Puppet; run: PruneRun } {
  const puppet = new Puppet();
  const run = new PruneRun({ model: 'm', data: 'd' }, puppet.start);
  run.result.catch(() => undefined);
  return { puppet, run };
}

function profiled(change: Partial<ProfileProgress>): JobProgress {
  return {
    kind: 'profile',
    progress: {
      batchesDone: 0,
      batches: 8,
      textsDone: 0,
      texts: 100,
      tokensDone: 0,
      secondsElapsed: 0,
      secondsLeft: undefined,
      layers: [],
      ...change,
    },
  };
}

const result = {
  source: 'From the cache.',
  checkpoints: [{ layersKept: 5 }, { layersKept: 12 }],
  curve: { layers: [{ layer: 1, loss: 2, stderr: 0.1 }], seconds: 41, model: { layers: 30 } },
} as unknown as PruneJobResult;

describe('a run', () => {
  it('never shows less done or more time left than before', () => {
    const { puppet, run } = begin();
    const shown: Array<readonly [number | undefined, number | undefined]> = [];
    run.onDidChange((view) => shown.push([view.fraction, view.secondsLeft]));
    puppet.report(profiled({ textsDone: 10, secondsLeft: 90 }));
    puppet.report(profiled({ textsDone: 8, secondsLeft: 120 }));
    puppet.report(profiled({ textsDone: 20, secondsLeft: undefined }));
    puppet.report(profiled({ textsDone: 30, secondsLeft: 60 }));
    expect(shown).toEqual([
      [0.1, 90],
      [0.1, 90],
      [0.2, 90],
      [0.3, 60],
    ]);
  });

  it('says what it does', () => {
    const { puppet, run } = begin();
    puppet.report({ kind: 'model', what: 'weights', done: 30, total: 120 });
    expect(run.view.message).toBe('Model: weights · 25 %');
    puppet.report({ kind: 'data', done: 3, total: undefined });
    expect(run.view.message).toBe('Reading the data');
    puppet.report(profiled({ batchesDone: 2 }));
    expect(run.view.message).toBe('Measuring the loss by layer: batch 3 of 8');
    puppet.report(profiled({ batchesDone: 8 }));
    expect(run.view.message).toBe('Measuring the loss by layer: batch 8 of 8');
  });

  it('ends with its curve and checkpoints', async () => {
    const { puppet, run } = begin();
    puppet.finish(result);
    await run.result;
    expect(run.view).toMatchObject({
      status: 'done',
      message: '2 checkpoints with 5 and 12 of 30 layers, after 50 s of measuring.',
      curve: result.curve,
      checkpoints: result.checkpoints,
    });
    expect(run.isRunning).toBe(false);
  });

  it('ends with the error of a job that fails, and keeps the curve so far', async () => {
    const { puppet, run } = begin();
    const layers = [{ layer: 1, loss: 2, stderr: 0 }];
    puppet.report(profiled({ layers }));
    puppet.fail(errors.badData('The data is bad.'));
    await expect(run.result).rejects.toMatchObject({ code: 'BAD_DATA' });
    expect(run.view).toMatchObject({ status: 'failed', error: { code: 'BAD_DATA', message: 'The data is bad.' }, layers });
  });

  it('shows a cancel before anybody has answered it', () => {
    const { run } = begin();
    void run.cancel();
    expect(run.view.status).toBe('cancelling');
  });

  it('says for how long the step that must end has run', async () => {
    const { puppet, run } = begin();
    puppet.secondsInStep = 4.2;
    await run.cancel();
    expect(run.view.message).toBe(
      'Cancelling at the end of the current step, which has run for 5 s. Cancel once more to end the worker at once.',
    );
  });

  it('says so when the worker does not even hear', async () => {
    const { puppet, run } = begin();
    puppet.secondsInStep = undefined;
    await run.cancel();
    expect(run.view.message).toBe('Cancelling: the worker does not answer. Cancel once more to end it.');
  });

  it('passes a second cancel on, and none once it has ended', async () => {
    const { puppet, run } = begin();
    await run.cancel();
    await run.cancel();
    puppet.fail(new CancelledError());
    await expect(run.result).rejects.toBeInstanceOf(CancelledError);
    await run.cancel();
    expect(puppet.cancels).toBe(2);
    expect(run.view).toMatchObject({ status: 'cancelled', error: undefined });
  });

  it('is not taken back to running by progress that was under way', () => {
    const { puppet, run } = begin();
    void run.cancel();
    puppet.report(profiled({ textsDone: 50 }));
    expect(run.view).toMatchObject({ status: 'cancelling', message: 'Cancelling' });
  });
});

import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { installTensorFlow } from '../../src/engine/install/install.ts';
import { tensorflowEngine } from '../../src/engine/tensorflow/engine.ts';
import type { EngineManifest } from '../../src/engine/tensorflow/location.ts';
import { L3PruneError } from '../../src/errors.ts';
import { skipBecause } from '../skips.ts';

/** A data home of the tests' own that stays, so that TensorFlow is installed once a machine. */
export const tensorflowHome = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'l3prune', 'tests');

/** Installs the CPU variant for real, unless it is there and works; waits for another test that is at it. */
async function install(): Promise<EngineManifest> {
  for (;;) {
    try {
      return await installTensorFlow({ home: tensorflowHome, variant: 'cpu' });
    } catch (error) {
      if (!(error instanceof L3PruneError) || error.code !== 'BUSY') throw error;
      await delay(500);
    }
  }
}

/** What was installed; undefined, with a sentence, where it cannot be had. With `CI=true` that is a failure. */
export const installed = await install().catch((error: Error): undefined => {
  skipBecause(`The tests of the TensorFlow engine were skipped: ${error.message}`);
});

/** `describe`, for tests of the TensorFlow engine. */
export const describeWithTensorFlow = installed === undefined ? describe.skip : describe;

/** The engine on two threads, as everywhere in the tests. */
export const tensorflow = (): Promise<Engine> => tensorflowEngine({ home: tensorflowHome, threads: 2 });

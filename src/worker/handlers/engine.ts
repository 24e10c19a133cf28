import { engineProgress, installTensorFlow, removeTensorFlow, type ByteProgress } from '../../protocol/engine.ts';
import { ProgressQueue } from '../../prune/progress-queue.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** Installs and removes the TensorFlow engine, never while another job may compute with it. */
export function serveEngine(server: WorkerServer, { home }: WorkerContext): void {
  server.onJob(installTensorFlow, engineProgress, async function* ({ variant }, signal) {
    // Loaded when it is needed, as in the other handlers.
    const { install, location } = await load();
    const installing = new ProgressQueue<ByteProgress, Awaited<ReturnType<typeof install.installTensorFlow>>>((push) =>
      install.installTensorFlow({ home, variant, signal, onProgress: push }),
    );
    return { ...(yield* installing.drain()), directory: location.tensorflowFolder(home) };
  });
  server.onJob(removeTensorFlow, engineProgress, async function* () {
    const { install, location } = await load();
    yield { what: 'deleting its folder', doneBytes: 0, totalBytes: undefined };
    await install.removeTensorFlow(home);
    return location.tensorflowFolder(home);
  });
}

async function load() {
  const [install, location] = await Promise.all([import('../../engine/install/install.ts'), import('../../engine/tensorflow/location.ts')]);
  return { install, location };
}

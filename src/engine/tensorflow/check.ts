import { checkProgram, expectClose } from '../check.ts';
import { engineOver } from './engine.ts';
import { requireTensorFlow } from './load.ts';
import type { Tensor, TensorFlow } from './tf.ts';

/** What a TensorFlow that works says of itself. */
export interface TensorFlowReport {
  readonly packageVersion: string;
  readonly tensorflowVersion: string;
  /** Whether it computes on a GPU. */
  readonly gpu: boolean;
}

/**
 * Sees whether the TensorFlow in a folder computes what it should: a program, its gradient, and steps of Adam down to the
 * solution of a least-squares problem. Errors: ENGINE with what it does not.
 */
export async function checkTensorFlow(place: { readonly directory: string; readonly packageName: string }): Promise<TensorFlowReport> {
  const tf = requireTensorFlow(place, {});
  await checkProgram(engineOver(tf));
  checkAdam(tf);
  const { binding, isUsingGpuDevice } = tf.backend();
  return { packageVersion: tf.version['tfjs-node'], tensorflowVersion: binding!.TF_Version, gpu: isUsingGpuDevice === true };
}

/** Least squares with one solution, which Adam has to come to. */
function checkAdam(tf: TensorFlow): void {
  const solution = [1, -2, 0.5];
  const rows = Array.from({ length: 24 }, (_, i) => solution.map((_, j) => Math.sin(1 + i * (j + 1))));
  const values = rows.map((row) => row.reduce((sum, x, j) => sum + x * solution[j]!, 0));
  const [x, y] = [tf.tensor(Float32Array.from(rows.flat()), [24, 3], 'float32'), tf.tensor(Float32Array.from(values), [24, 1], 'float32')];
  const w = tf.variable(tf.zeros([3, 1]));
  const adam = tf.train.adam(0.1);
  for (let step = 0; step < 300; step++) adam.minimize(() => tf.sum(tf.reshape(tf.square(tf.sub(tf.matMul(x, w, false, false), y)), [-1]), -1));
  expectClose('what Adam came to', (w as Tensor).dataSync(), solution, 1e-2);
  for (const owned of [adam, x, y, w]) owned.dispose();
}

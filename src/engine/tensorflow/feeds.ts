import { errors } from '../../errors.ts';
import type { Dim, InputSpec, TensorData } from '../ops.ts';
import type { Tensor, TensorFlow } from './tf.ts';

/** Throws ENGINE where what a run is fed is not what its program takes: another rank or length, or lengths of one name that differ. */
export function checkFeeds(inputs: Readonly<Record<string, InputSpec>>, feeds: Readonly<Record<string, TensorData>>): void {
  const named = new Map<string, number>();
  for (const [name, { type, shape }] of Object.entries(inputs)) {
    const fed = feeds[name];
    if (fed === undefined) throw errors.engine(`TensorFlow was given no input "${name}".`);
    const fits =
      fed.type === type &&
      fed.shape.length === shape.length &&
      fed.data.length === fed.shape.reduce((product, length) => product * length, 1) &&
      shape.every((dim, axis) => bind(dim, fed.shape[axis]!, named));
    if (fits) continue;
    throw errors.engine(
      `TensorFlow was given "${name}" as ${fed.type} [${fed.shape.join(',')}] with ${fed.data.length} numbers, where ${type} [${shape.join(',')}] is needed.`,
    );
  }
}

function bind(dim: Dim, length: number, named: Map<string, number>): boolean {
  if (typeof dim === 'number') return dim === length;
  const known = named.get(dim);
  named.set(dim, length);
  return known === undefined || known === length;
}

/** TensorFlow.js has no tensors of 64-bit numbers: indices become 32-bit ones. */
export function toTensor(tf: TensorFlow, { type, data, shape }: TensorData): Tensor {
  return type === 'int64' ? tf.tensor(Int32Array.from(data, Number), shape, 'int32') : tf.tensor(data, shape, 'float32');
}

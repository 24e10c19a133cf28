import { createRequire } from 'node:module';
import { join } from 'node:path';
import { errors } from '../../errors.ts';
import { findTensorFlow } from './location.ts';
import type { TensorFlow } from './tf.ts';

export interface TensorFlowOptions {
  /** The data home that it is looked for in. */
  readonly home: string;
  /** Threads of a matrix product; TensorFlow's own choice when undefined. */
  readonly threads?: number | undefined;
  /** `cpu` leaves a GPU alone that TensorFlow could use. */
  readonly device?: 'auto' | 'cpu' | undefined;
}

/** The installed TensorFlow.js on its native backend. Errors: ENGINE. */
export async function loadTensorFlow({ home, threads, device }: TensorFlowOptions): Promise<TensorFlow> {
  const found = await findTensorFlow(home);
  if (found === undefined)
    throw errors.engine('The TensorFlow engine is not installed: run `l3prune engine install tensorflow`, or choose --engine onnx.');
  return requireTensorFlow(found, { threads, device });
}

/** TensorFlow.js out of a folder with `node_modules`. Errors: ENGINE. */
export function requireTensorFlow(
  { directory, packageName }: { readonly directory: string; readonly packageName: string },
  { threads, device }: Pick<TensorFlowOptions, 'threads' | 'device'>,
): TensorFlow {
  // TensorFlow reads these once, when its library is loaded; the errors it would print come as exceptions as well.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
  if (threads !== undefined) process.env['TF_NUM_INTRAOP_THREADS'] = String(threads);
  if (device === 'cpu') process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  try {
    const tf = createRequire(join(directory, 'package.json'))(packageName) as TensorFlow;
    if (tf.backend().binding === undefined) throw new Error('its native library was not loaded');
    return tf;
  } catch (cause) {
    throw errors.engine(
      `The TensorFlow engine in ${directory} cannot be loaded (${reasonOf(cause)}): run \`l3prune engine install tensorflow --force\`.`,
      cause,
    );
  }
}

/** What went wrong, in TensorFlow's words without their frame. */
export function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const [first = '', second] = message.split('\n');
  const line = first.startsWith('Invalid TF_Status') && second !== undefined ? second.replace(/^Message: /, '') : first;
  return line.replace(/\.$/, '');
}

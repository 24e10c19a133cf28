import { errors } from '../errors.ts';
import { formatBytes } from '../format.ts';
import type { ByteProgress, TensorFlowVariant } from '../protocol/engine.ts';

/** What a caller of `l3prune.installTensorFlow` asked for with an object: `{}` or `{ "gpu": true }`. Errors: USAGE. */
export function parseInstallArguments(given: unknown): TensorFlowVariant {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  const { gpu = false, ...others } = isObject ? (given as { readonly gpu?: unknown }) : { gpu: undefined, given };
  if (typeof gpu === 'boolean' && Object.keys(others).length === 0) return gpu ? 'gpu' : 'cpu';
  throw errors.usage('l3prune.installTensorFlow takes an object with nothing but gpu, true or false.');
}

/** What an installation or a removal does now, as its notification says it. */
export function describeStep({ what, doneBytes, totalBytes }: ByteProgress): string {
  const done = totalBytes === undefined ? '' : `: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
  return `${what}${done}`;
}

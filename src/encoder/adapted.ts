import { createHash } from 'node:crypto';
import type { Checkpoint, Lora } from '../models/types.ts';

/** The model with this adapter beside its weights, in place of one it has. Its fingerprint covers both. */
export function withAdapter(checkpoint: Checkpoint, adapter: Lora): Checkpoint {
  return {
    ...checkpoint,
    adapter,
    fingerprint: async () => createHash('sha256').update(`${await checkpoint.fingerprint()} ${fingerprintAdapter(adapter)}`).digest('hex'),
  };
}

/** SHA-256, hexadecimal, of what an adapter computes: its numbers and how they are applied. */
export function fingerprintAdapter({ lora: { rank, alpha, targets }, parameters }: Lora): string {
  const hash = createHash('sha256').update(JSON.stringify({ rank, alpha, targets }));
  for (const [name, tensor] of [...parameters].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name} ${tensor.length}`).update(tensor);
  return hash.digest('hex');
}

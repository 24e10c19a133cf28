import { PythonProcess, whyNoPython } from './python.ts';

/** One bucket as both sides compute it: token ids and pooling weights, padded on the right. */
export interface Bucket {
  readonly ids: readonly number[][];
  readonly weights: readonly number[][];
}

/** Why there is no PyTorch to compare with, in a sentence; undefined where there is. */
export const whyNoPeer = (): string | undefined => whyNoPython(['torch', 'transformers']);

/** PyTorch in a process of its own (`peer.py`). */
export class Peer {
  readonly #process = new PythonProcess('peer.py');
  name = '';

  static async open(folder: string, options: { layers: number; every: boolean; threads: number; bfloat16?: boolean }): Promise<Peer> {
    const peer = new Peer();
    peer.name = (await peer.#process.ask<{ name: string }>({ load: folder, ...options })).name;
    return peer;
  }

  /** Runs a bucket; `first` is the last layer's vector of its first text. */
  run(bucket: Bucket): Promise<{ seconds: number; first: number[] }> {
    return this.#process.ask(bucket);
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}

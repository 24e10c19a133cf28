import { errors } from '../errors.ts';
import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx/engine.ts';
import { tensorflowEngine } from './tensorflow/engine.ts';

export type EngineName = Engine['name'];
export const engineNames: readonly EngineName[] = ['onnx', 'tensorflow'];

/**
 * What computes. `webgpu` is a GPU that ONNX Runtime reaches; `auto` is the CPU, or the GPU of a TensorFlow that was
 * installed for one.
 */
export type Device = 'auto' | 'cpu' | 'webgpu';
export const devices: readonly Device[] = ['auto', 'cpu', 'webgpu'];

/** What an engine is opened with. */
export interface EngineOptions {
  /** The data home, where installed engines lie. */
  readonly home: string;
  /** Threads of a matrix product; the engine's own choice when undefined. */
  readonly threads?: number | undefined;
  readonly device?: Device | undefined;
}

/**
 * Opens an engine. A GPU that is not there may end the process: `selectEngine` tries it first in another one.
 * Errors: ENGINE where it is not installed or cannot be loaded, USAGE for a device that it does not have.
 */
export async function openEngine(name: EngineName, { home, threads, device }: EngineOptions): Promise<Engine> {
  if (name === 'onnx') return onnxEngine({ threads, device: device === 'webgpu' ? device : 'cpu' });
  if (device === 'webgpu') throw errors.usage('--device webgpu is for ONNX Runtime: TensorFlow computes on its own GPU under --device auto.');
  return tensorflowEngine({ home, threads, device });
}

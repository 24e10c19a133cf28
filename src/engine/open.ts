import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx/engine.ts';
import { tensorflowEngine } from './tensorflow/engine.ts';

export type EngineName = Engine['name'];
export const engineNames: readonly EngineName[] = ['onnx', 'tensorflow'];

/** What an engine is opened with. */
export interface EngineOptions {
  /** The data home, where installed engines lie. */
  readonly home: string;
  /** Threads of a matrix product; the engine's own choice when undefined. */
  readonly threads?: number | undefined;
  readonly device?: 'auto' | 'cpu' | undefined;
}

/** Errors: ENGINE where it is not installed or cannot be loaded. */
export async function openEngine(name: EngineName, { home, threads, device }: EngineOptions): Promise<Engine> {
  return name === 'onnx' ? onnxEngine({ threads }) : tensorflowEngine({ home, threads, device });
}

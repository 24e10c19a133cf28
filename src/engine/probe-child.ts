import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errors, reviveError } from '../errors.ts';
import { runToEnd } from '../process.ts';
import type { EngineName, EngineOptions } from './open.ts';
import type { WebGpuReport } from './onnx/webgpu-check.ts';
import type { TensorFlowReport } from './tensorflow/check.ts';

/** What the probe program can be asked. */
export interface Probes {
  /** Whether ONNX Runtime computes what it should. */
  readonly onnx: { readonly parameters: null; readonly result: void };
  /** Whether it does on a GPU. */
  readonly webgpu: { readonly parameters: null; readonly result: WebGpuReport };
  /** The same of the TensorFlow in a folder. */
  readonly tensorflow: {
    readonly parameters: { readonly directory: string; readonly packageName: string };
    readonly result: TensorFlowReport;
  };
  /** How long an engine takes for a training step. */
  readonly speed: {
    readonly parameters: EngineOptions & { readonly engine: EngineName };
    readonly result: { readonly seconds: number };
  };
}

export type ProbeAnswer<K extends keyof Probes> =
  | { readonly result: Probes[K]['result'] }
  | { readonly error: { readonly code: string; readonly message: string } };

/** What a probe may take on a machine that does other things as well. */
const limitMs = 300_000;

/**
 * Asks the probe program, which loads an engine's native code in a process of its own: nothing of it stays in this one,
 * and its crash is an answer. Errors: what the probe throws, ENGINE where it gives no answer, CANCELLED.
 */
export async function probeInChild<K extends keyof Probes>(
  task: K,
  parameters: Probes[K]['parameters'],
  signal: AbortSignal | undefined,
): Promise<Probes[K]['result']> {
  const { stdout, output } = await runToEnd([process.execPath, program(), task, JSON.stringify(parameters)], { signal, limitMs });
  const answer = parseAnswer<K>(stdout);
  if (answer === undefined) {
    const lastLine = output.trimEnd().split('\n').at(-1) || 'it said nothing';
    throw errors.engine(`The process that tried an engine ended without an answer: ${lastLine.slice(0, 300)}.`);
  }
  if ('error' in answer) throw reviveError(answer.error);
  return answer.result;
}

/** Native code may have written lines of its own before. */
function parseAnswer<K extends keyof Probes>(stdout: string): ProbeAnswer<K> | undefined {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as ProbeAnswer<K>;
  } catch {
    return undefined;
  }
}

/** The built program, beside the bundle that this is part of, or in `dist` where this runs from its source. */
function program(): string {
  const beside = fileURLToPath(new URL('engine-probe.mjs', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/engine-probe.mjs', import.meta.url));
}

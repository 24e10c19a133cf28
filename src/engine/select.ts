import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CancelledError, describeError, errors, throwIfCancelled } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { ByteProgress } from '../models/types.ts';
import { createdBy } from '../version.ts';
import type { Engine } from './engine.ts';
import { engineNames, openEngine, type EngineName, type EngineOptions } from './open.ts';
import { probeInChild } from './probe-child.ts';
import { findTensorFlow } from './tensorflow/location.ts';

/** What a person may ask for; `auto` is the fastest of those that are there. */
export type EngineChoice = 'auto' | EngineName;
export const engineChoices: readonly EngineChoice[] = ['auto', ...engineNames];

/** The choice that a setting holds; `auto` where it is not set. Errors: USAGE. */
export function parseEngineChoice(text = 'auto'): EngineChoice {
  const choice = engineChoices.find((known) => known === text);
  if (choice === undefined) throw errors.usage(`There is no engine "${text}": choose one of ${engineChoices.join(', ')}.`);
  return choice;
}

export interface SelectOptions extends EngineOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told when the engines are measured, which takes seconds and is done once. */
  readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
}

/** An engine, and where there was a choice the sentence that says why it is this one. */
export interface SelectedEngine {
  readonly engine: Engine;
  readonly why: string | undefined;
}

/** Opens the engine that is asked for, or the fastest, on the device that is asked for. Errors: ENGINE, USAGE, CANCELLED. */
export async function selectEngine(choice: EngineChoice, { signal, onProgress, ...options }: SelectOptions): Promise<SelectedEngine> {
  if (options.device === 'webgpu') return selectWebGpu(choice, options, signal);
  const { name, why } = choice === 'auto' ? await fastestEngine({ signal, onProgress, ...options }) : { name: choice, why: undefined };
  return { engine: await openEngine(name, options), why };
}

/** Tries the GPU in a process of its own: without one, native code may end or hang it. */
async function selectWebGpu(choice: EngineChoice, options: EngineOptions, signal: AbortSignal | undefined): Promise<SelectedEngine> {
  const engine = await openEngine(choice === 'auto' ? 'onnx' : choice, options);
  const { onCpu } = await probeInChild('webgpu', null, signal).catch((error: unknown) => {
    if (error instanceof CancelledError) throw error;
    throw errors.engine(`WebGPU does not work on this machine, leave --device webgpu out: ${describeError(error).message}`, error);
  });
  return { engine, why: `ONNX Runtime computes on the GPU${onCpu.length === 0 ? '' : `, but for what it has on the CPU alone: ${onCpu.join(', ')}`}.` };
}

/**
 * The engine whose training step is shortest on this machine; an engine that fails is the slowest. Where there are
 * several they are measured, in processes of their own, and what was measured is remembered in the data home until a
 * version, the machine or the threads change. Errors: CANCELLED.
 */
export async function fastestEngine({ signal, onProgress, ...options }: SelectOptions): Promise<{ name: EngineName; why: string | undefined }> {
  const { home, threads, device } = options;
  const found = await findTensorFlow(home).catch((error: unknown) => describeError(error));
  if (found === undefined) return { name: 'onnx', why: undefined };
  if ('message' in found) return { name: 'onnx', why: `ONNX Runtime computes: ${found.message}` };
  const { packageName, manifest } = found;
  const key = JSON.stringify({ createdBy, packageName, manifest, cpu: cpus()[0]?.model, cores: availableParallelism(), threads, device });
  const speeds = await readSpeeds(home);
  const seconds = speeds[key] ?? (await measure(options, { signal, onProgress }));
  if (speeds[key] === undefined) await writeSpeeds(home, { ...speeds, [key]: seconds });
  return choose(seconds);
}

const titles: { readonly [N in EngineName]: string } = { onnx: 'ONNX Runtime', tensorflow: 'TensorFlow' };

function choose({ onnx, tensorflow }: StepSeconds): { name: EngineName; why: string } {
  const name = (tensorflow ?? Infinity) < (onnx ?? Infinity) ? 'tensorflow' : 'onnx';
  const other = name === 'onnx' ? 'tensorflow' : 'onnx';
  if (onnx === null || tensorflow === null) return { name, why: `${titles[name]} computes: ${titles[other]} fails here, see \`l3prune engine list\`.` };
  const ratio = Math.max(onnx, tensorflow) / Math.min(onnx, tensorflow);
  return { name, why: `${titles[name]} computes: its training step is ${ratio.toFixed(1)} times as fast as ${titles[other]}'s here.` };
}

/** Seconds of a training step; null for an engine that does not compute. */
const stepSeconds = z.record(z.enum(engineNames as [EngineName]), z.number().positive().nullable());
type StepSeconds = z.infer<typeof stepSeconds>;
const speedsFile = z.record(z.string(), stepSeconds);

function pathOf(home: string): string {
  return join(home, 'engines', 'speed.json');
}

/** What was measured before. A file that is not one of ours is measured anew. */
async function readSpeeds(home: string): Promise<Record<string, StepSeconds>> {
  try {
    return speedsFile.parse(JSON.parse(await readFile(pathOf(home), 'utf8')));
  } catch {
    return {};
  }
}

/** A data home that cannot be written to costs another measurement, no more. */
async function writeSpeeds(home: string, speeds: Record<string, StepSeconds>): Promise<void> {
  await writeFileAtomically(pathOf(home), `${JSON.stringify(speeds)}\n`).catch(() => undefined);
}

async function measure(options: EngineOptions, { signal, onProgress }: Pick<SelectOptions, 'signal' | 'onProgress'>): Promise<StepSeconds> {
  const measured: Partial<StepSeconds> = {};
  for (const engine of engineNames) {
    onProgress?.({ what: 'measuring which engine is faster', doneBytes: 0, totalBytes: undefined });
    const probe = probeInChild('speed', { engine, ...options }, signal);
    measured[engine] = await probe.then(({ seconds }) => seconds, () => null);
    throwIfCancelled(signal);
  }
  return measured as StepSeconds;
}

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';
import { parameterNames, type LoraModule } from '../encoder/lora.ts';
import { parseJson } from '../models/json.ts';
import { float32Source, readSafetensors, readTensor, writeSafetensors } from '../models/safetensors.ts';
import type { AdamWState } from './adamw.ts';

/** Where a run stands after so many steps: all that the next step depends on, beside settings and data. */
export interface TrainingState {
  readonly step: number;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly optimizer: AdamWState;
}

const stateFile = 'state.json';
const tensorsFile = (step: number): string => `state-${step}.safetensors`;
const kinds = ['parameters', 'first', 'second'] as const;
const schema = z.object({ step: z.number().int().min(0), tensors: z.string().regex(/^state-\d+\.safetensors$/) });

/**
 * Writes a state into a run's folder: its tensors under a name of their own, then the small file that names them, so
 * that a process killed at any moment leaves this state or the one before. Errors: WRITE_FAILED.
 */
export async function writeState(folder: string, { step, parameters, optimizer }: TrainingState, rank: number, modules: readonly LoraModule[]): Promise<void> {
  const sets = { parameters, first: optimizer.first, second: optimizer.second };
  const sources = kinds.flatMap((kind) =>
    shapes(modules, rank).map(({ name, shape }) => float32Source(`${kind}.${name}`, shape, sets[kind].get(name)!)),
  );
  const tensors = tensorsFile(step);
  await writeSafetensors(join(folder, tensors), sources);
  await writeFileAtomically(join(folder, stateFile), `${JSON.stringify({ step, tensors })}\n`);
  for (const name of await readdir(folder)) {
    if (/^state-\d+\.safetensors$/.test(name) && name !== tensors) await rm(join(folder, name), { force: true });
  }
}

/** The state of a run's folder, or undefined where none was saved yet. Errors: BAD_MODEL_FILE. */
export async function readState(folder: string, rank: number, modules: readonly LoraModule[]): Promise<TrainingState | undefined> {
  const path = join(folder, stateFile);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  });
  if (text === undefined) return undefined;
  const damaged = (why: string, cause?: unknown) =>
    errors.badModelFile(`The state of the run in ${folder} is damaged (${why}): start it again with --force.`, cause);
  let named: z.infer<typeof schema>;
  try {
    named = schema.parse(parseJson(text));
  } catch (error) {
    throw damaged(`${stateFile} is not what it should be`, error);
  }
  const stored = await readSafetensors(join(folder, named.tensors));
  const read = async (kind: (typeof kinds)[number]): Promise<Map<string, Float32Array>> => {
    const tensors = new Map<string, Float32Array>();
    for (const { name, shape } of shapes(modules, rank)) {
      const tensor = stored.get(`${kind}.${name}`);
      if (tensor === undefined || tensor.shape.join() !== shape.join()) throw damaged(`${named.tensors} does not hold ${kind}.${name}`);
      tensors.set(name, await readTensor(tensor));
    }
    return tensors;
  };
  const parameters = await read('parameters');
  return { step: named.step, parameters, optimizer: { step: named.step, first: await read('first'), second: await read('second') } };
}

function shapes(modules: readonly LoraModule[], rank: number): { name: string; shape: [number, number] }[] {
  return modules.flatMap((module) => {
    const { A, B } = parameterNames(module);
    return [
      { name: A, shape: [rank, module.inputs] as [number, number] },
      { name: B, shape: [module.outputs, rank] as [number, number] },
    ];
  });
}

/**
 * The program that tries an engine: `engine-probe.mjs TASK PARAMETERS`, both of `Probes`, the parameters as JSON. Its last
 * line on standard output is a `ProbeAnswer`.
 */
import { describeError } from '../errors.ts';
import { checkProgram } from './check.ts';
import { onnxEngine } from './onnx/engine.ts';
import { checkWebGpu } from './onnx/webgpu-check.ts';
import { openEngine } from './open.ts';
import type { ProbeAnswer, Probes } from './probe-child.ts';
import { checkTensorFlow } from './tensorflow/check.ts';
import { trainingStepSeconds } from './training-step.ts';

const tasks: { readonly [K in keyof Probes]: (parameters: Probes[K]['parameters']) => Promise<Probes[K]['result']> } = {
  onnx: () => checkProgram(onnxEngine({ threads: undefined })),
  webgpu: checkWebGpu,
  tensorflow: checkTensorFlow,
  speed: async ({ engine, ...options }) => ({ seconds: await trainingStepSeconds(await openEngine(engine, options)) }),
};

async function answer<K extends keyof Probes>(task: K, parameters: string): Promise<ProbeAnswer<K>> {
  try {
    return { result: await tasks[task](JSON.parse(parameters) as Probes[K]['parameters']) };
  } catch (error) {
    return { error: describeError(error) };
  }
}

const [task, parameters] = process.argv.slice(2);
process.stdout.write(`\n${JSON.stringify(await answer(task as keyof Probes, parameters!))}\n`);

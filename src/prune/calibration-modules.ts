import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { roles, type AffineMap, type Calibration, type CalibrationKind, type Role } from '../encoder/calibration.ts';
import { errors } from '../errors.ts';
import { float32Source, readSafetensors, readTensor, WEIGHTS_FILE, writeSafetensors } from '../models/safetensors.ts';
import { jsonFile, type CheckpointFile } from './checkpoint-file.ts';

/** The folder of the module that follows the pooling, as sentence-transformers would name it. */
export const calibrationFolders: Readonly<Record<CalibrationKind, string>> = { mean: '2_Dense', router: '2_Router' };

/** The names that every version of sentence-transformers knows, old and new. */
const denseType = 'sentence_transformers.models.Dense';
const moduleTypes: Readonly<Record<CalibrationKind, string>> = { mean: denseType, router: 'sentence_transformers.models.Router' };
const denseTensors = { weight: 'linear.weight', bias: 'linear.bias' };

/** The entry of modules.json. */
export function calibrationModule(kind: CalibrationKind): Readonly<Record<string, unknown>> {
  return { idx: 2, name: '2', path: calibrationFolders[kind], type: moduleTypes[kind] };
}

/** The calibration's configuration as sentence-transformers reads it: a Dense module, or a Router with one a role. */
export function calibrationConfigs(kind: CalibrationKind, size: number): CheckpointFile[] {
  const dense = { in_features: size, out_features: size, bias: true, activation_function: 'torch.nn.modules.linear.Identity' };
  const configs = [...new Set(Object.values(denseFolders(kind)))].map((folder) => jsonFile(`${folder}/config.json`, dense));
  if (kind === 'mean') return configs;
  const router = {
    types: Object.fromEntries(roles.map((role) => [routedDense(role), denseType])),
    structure: Object.fromEntries(roles.map((role) => [role, [routedDense(role)]])),
    // What is encoded without saying what it is counts as a document, here as in `embed`.
    parameters: { default_route: 'document' satisfies Role, allow_empty_key: true, route_mappings: {} },
  };
  return [jsonFile(`${calibrationFolders.router}/router_config.json`, router), ...configs];
}

/** Writes the maps as weights of those modules, in float32. Errors: WRITE_FAILED. */
export async function writeCalibrationWeights(directory: string, { kind, maps }: Calibration): Promise<void> {
  for (const [role, folder] of Object.entries(denseFolders(kind)) as [Role, string][]) {
    if (kind === 'mean' && role !== 'document') continue;
    const { weight, bias } = maps[role];
    const size = bias.length;
    await mkdir(join(directory, folder), { recursive: true });
    await writeSafetensors(join(directory, folder, WEIGHTS_FILE), [
      float32Source(denseTensors.weight, [size, size], weight ?? identity(size)),
      float32Source(denseTensors.bias, [size], bias),
    ]);
  }
}

/** The maps that the modules of a folder hold. Errors: NOT_FOUND, BAD_MODEL_FILE. */
export async function readCalibrationWeights(
  directory: string,
  { kind, components, size }: { readonly kind: CalibrationKind; readonly components: number; readonly size: number },
): Promise<Calibration['maps']> {
  const read = async (role: Role): Promise<AffineMap> => {
    const path = join(directory, denseFolders(kind)[role], WEIGHTS_FILE);
    const tensors = await readSafetensors(path);
    const tensor = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
      const found = tensors.get(name);
      if (found === undefined || found.shape.join() !== shape.join())
        throw errors.badModelFile(`${path} does not hold ${name} of ${shape.join(' × ')} numbers: prune the model again.`);
      return readTensor(found);
    };
    // Where nothing but a mean is taken off, the matrix is the identity and need not be read.
    const weight = components === 0 ? undefined : await tensor(denseTensors.weight, [size, size]);
    return { weight, bias: await tensor(denseTensors.bias, [size]) };
  };
  const document = await read('document');
  return { query: kind === 'mean' ? document : await read('query'), document };
}

function denseFolders(kind: CalibrationKind): Readonly<Record<Role, string>> {
  const folder = calibrationFolders[kind];
  if (kind === 'mean') return { query: folder, document: folder };
  return { query: `${folder}/${routedDense('query')}`, document: `${folder}/${routedDense('document')}` };
}

/** As sentence-transformers names what it saves: the route, the place in it, the class. */
function routedDense(role: Role): string {
  return `${role}_0_Dense`;
}

function identity(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + i] = 1;
  return matrix;
}

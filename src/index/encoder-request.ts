import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { errors } from '../errors.ts';
import { given } from '../given.ts';
import { DEFAULT_MODEL } from '../models/default-model.ts';
import type { IndexEncoderRequest } from './encoder.ts';

/**
 * The encoder that is asked for; undefined where the workspace's own is meant. It is kept with the index, and a folder has
 * to be found from elsewhere, too. Errors: USAGE where what is said of an encoder has none.
 */
export function encoderRequest({ model, layers, maxLength, precision }: { readonly [K in keyof IndexEncoderRequest]?: IndexEncoderRequest[K] | undefined }): IndexEncoderRequest | undefined {
  const chosen = given({ layers, maxLength, precision });
  if (model !== undefined) return { model: model !== DEFAULT_MODEL && existsSync(model) ? resolve(model) : model, ...chosen };
  if (Object.keys(chosen).length > 0) throw errors.usage('Layers, length and precision are of an encoder: name its model as well.');
  return undefined;
}

import type { InputSpec, TensorData } from '../engine/ops.ts';
import { Random } from '../random.ts';
import type { LoraModule } from '../encoder/lora.ts';

/**
 * Dropout that is the same on every engine: a step draws, for every tensor that adapters read, a table of masks from
 * its seed, and each token takes a row of it. Tokens of a text take rows one after the other from a place of the text's
 * own, so that two of the same text share a mask only where the text is longer than the table.
 */
export const maskRows = 256;

/** The mask tables' inputs, by site. */
export function maskInputs(modules: readonly LoraModule[]): Record<string, InputSpec> {
  return Object.fromEntries(modules.map(({ site, inputs }) => [maskName(site), { type: 'float32', shape: [maskRows, inputs] }]));
}

export const maskName = (site: string): string => `dropout.${site}`;

/** The tables of one step: 0 with probability `dropout`, else 1 / (1 - dropout), [maskRows,in] each. */
export function drawMasks(modules: readonly LoraModule[], dropout: number, seed: number): Record<string, TensorData> {
  const random = Random.fromSeed(seed);
  const limit = dropout * 2 ** 16;
  const kept = 1 / (1 - dropout);
  const tables: Record<string, TensorData> = {};
  for (const { site, inputs } of modules) {
    if (maskName(site) in tables) continue;
    const data = new Float32Array(maskRows * inputs);
    for (let i = 0; i < data.length; i += 2) {
      const word = random.next();
      data[i] = (word & 0xffff) < limit ? 0 : kept;
      if (i + 1 < data.length) data[i + 1] = word >>> 16 < limit ? 0 : kept;
    }
    tables[maskName(site)] = { type: 'float32', data, shape: [maskRows, inputs] };
  }
  return tables;
}

/** The row of every token, [1,tokens], of texts at these places in the batch; one token more may stand in for padding. */
export function maskRowsOf(places: readonly number[], lengths: readonly number[], tokens: number): TensorData {
  const data = new BigInt64Array(tokens);
  let token = 0;
  places.forEach((place, text) => {
    // A stride prime to the table spreads the texts of a batch over it.
    for (let i = 0; i < lengths[text]!; i++) data[token++] = BigInt((place * 97 + i) % maskRows);
  });
  return { type: 'int64', data, shape: [1, tokens] };
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../src/random.ts';

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** Changes the header of a safetensors file and leaves its data as it is. */
export async function changeHeader(folder: string, change: (header: Header) => void): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const { header, data } = split(await readFile(path));
  change(header);
  await writeFile(path, joined(header, data));
}

/** Overwrites the first number of a bfloat16 tensor by its bits. */
export async function overwriteNumber(folder: string, tensor: string, bits: number): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const bytes = await readFile(path);
  const { header, data } = split(bytes);
  data.writeUInt16LE(bits, header[tensor]!.data_offsets[0]);
  await writeFile(path, bytes);
}

/** Changes a JSON file. */
export async function changeJson(path: string, change: (json: Record<string, any>) => void): Promise<void> {
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, any>;
  change(json);
  await writeFile(path, JSON.stringify(json));
}

/** Gives a copy of the fixture model `layers` layers of random weights and a wider MLP, so that writing it takes a while. */
export async function enlarge(folder: string, { layers, width }: { layers: number; width: number }): Promise<void> {
  await changeJson(join(folder, 'config.json'), (config) => {
    config['num_hidden_layers'] = layers;
    config['intermediate_size'] = width;
  });
  const path = join(folder, 'model.safetensors');
  const { header } = split(await readFile(path));
  const larger: Header = {};
  let offset = 0;
  const add = (name: string, shape: number[]): void => {
    const end = offset + 2 * shape.reduce((product, length) => product * length, 1);
    larger[name] = { dtype: 'BF16', shape, data_offsets: [offset, end] };
    offset = end;
  };
  for (const [name, { shape }] of Object.entries(header)) if (!name.includes('.layers.') && name !== '__metadata__') add(name, shape);
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, { shape }] of Object.entries(header))
      if (name.includes('.layers.0.')) add(name.replace('.layers.0.', `.layers.${layer}.`), name.includes('.mlp.') ? shape.map((n) => (n === 160 ? width : n)) : shape);
  }
  const random = Random.fromSeed(1);
  const words = new Uint16Array(offset / 2);
  // Numbers of either sign from 2^-7 to 2^-5.
  for (let i = 0; i < words.length; i++) words[i] = 0x3c00 | (random.integer(2) << 15) | random.integer(256);
  await writeFile(path, joined(larger, Buffer.from(words.buffer)));
}

function split(bytes: Buffer): { header: Header; data: Buffer } {
  const end = 8 + Number(bytes.readBigUInt64LE());
  return { header: JSON.parse(bytes.subarray(8, end).toString()) as Header, data: bytes.subarray(end) };
}

function joined(header: Header, data: Uint8Array): Buffer {
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errors } from '../errors.ts';
import { writeFolderAtomically } from '../files.ts';
import { decoderTensors, parseConfig } from './config.ts';
import { ggufConfig } from './gguf-config.ts';
import { allFinite, BLOCKS, dequantize } from './gguf-dequantize.ts';
import { readGgufHeader, type GgufHeader, type GgufTensor } from './gguf-header.ts';
import { ggufTokenizer } from './gguf-tokenizer.ts';
import { WEIGHTS_FILE } from './safetensors.ts';
import { CHUNK_BYTES, tensorChunks, writeSafetensors, type TensorSource } from './tensor-data.ts';
import type { ByteProgress, DecoderConfig } from './types.ts';

/** The decoder's own names of what GGUF calls otherwise, of each layer and of the whole. */
const LAYER_NAMES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const MODEL_NAMES: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};
/** Rotary factors, read for the config, and rotary tables of old files, which are computed here. */
const ROPE_FACTORS = 'rope_freqs.weight';
const IGNORED_NAMES = /^(rope_freqs\.weight|blk\.\d+\.attn_rot_embd(\.weight)?)$/;

/**
 * Converts a GGUF file (llama architecture; F32, F16, BF16, Q8_0, Q4_0, Q4_1; byte-level BPE) into a float32 checkpoint
 * folder, which appears whole or not at all. Memory is bounded by a few megabytes besides the header.
 * Progress counts the bytes written. Throws `NOT_FOUND`, `BAD_MODEL_FILE`, `BAD_CONFIG`, `BAD_TOKENIZER`, `UNSUPPORTED`,
 * `NOT_FINITE`, `EXISTS`, `WRITE_FAILED` or `CANCELLED`.
 */
export async function convertGguf(
  file: string,
  directory: string,
  options: {
    readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly force?: boolean | undefined;
  } = {},
): Promise<void> {
  const { signal, force, onProgress } = options;
  const header = await readGgufHeader(file);
  const raw = ggufConfig(header, await readRopeFactors(header));
  const config = parseConfig(raw, file);
  const sources = planTensors(header, config);
  const { tokenizer, config: tokenizerConfig } = ggufTokenizer(header.metadata, config.vocabSize, file);
  const what = basename(file);
  await writeFolderAtomically(
    directory,
    async (folder) => {
      await writeSafetensors(join(folder, WEIGHTS_FILE), sources, {
        signal,
        onProgress: (progress) => onProgress?.({ ...progress, what }),
      });
      await writeFile(join(folder, 'config.json'), `${JSON.stringify(raw, null, 2)}\n`);
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
      await writeFile(join(folder, 'tokenizer_config.json'), `${JSON.stringify(tokenizerConfig, null, 2)}\n`);
    },
    { signal, force },
  );
}

async function readRopeFactors({ tensors, file }: GgufHeader): Promise<Float32Array | undefined> {
  const tensor = tensors.get(ROPE_FACTORS);
  if (!tensor) return undefined;
  if (tensor.byteLength > 65_536) throw errors.badModelFile(`${file}: ${ROPE_FACTORS} has ${tensor.byteLength} bytes.`);
  const parts: number[] = [];
  for await (const chunk of tensorChunks(tensor)) parts.push(...dequantize(chunk, tensor.type));
  return Float32Array.from(parts);
}

/** The checkpoint's tensors, each with the GGUF tensor it comes from, checked against what the decoder needs. */
function planTensors(header: GgufHeader, config: DecoderConfig): TensorSource[] {
  const { file } = header;
  const found = new Map<string, GgufTensor>();
  for (const [name, tensor] of header.tensors) {
    if (IGNORED_NAMES.test(name)) continue;
    const target = translateName(name);
    if (target === undefined)
      throw errors.unsupported(
        `${file}: tensor ${JSON.stringify(name.slice(0, 100))} is none of a llama model's: what it does is not implemented.`,
      );
    found.set(target, tensor);
  }
  const needed = [...decoderTensors(config)].map(({ name, shape }) => ({ name: `model.${name}`, shape }));
  if (found.has('lm_head.weight'))
    needed.push({ name: 'lm_head.weight', shape: [config.vocabSize, config.hiddenSize] });
  const sources = needed.map(({ name, shape }) => {
    const tensor = found.get(name);
    if (!tensor) throw errors.badModelFile(`${file}: the tensor for ${name} is missing.`);
    if (tensor.shape.join() !== shape.join())
      throw errors.badModelFile(
        `${file}: tensor ${tensor.name} has the shape [${tensor.shape.join(', ')}] and its settings ask for [${shape.join(', ')}].`,
      );
    found.delete(name);
    return float32Source(name, tensor, /\.(q|k)_proj\./.test(name) ? config.headDim : 0);
  });
  const [extra] = found.values();
  if (extra) throw errors.badModelFile(`${file}: tensor ${extra.name} has no place in a model of its settings.`);
  return sources;
}

function translateName(name: string): string | undefined {
  if (Object.hasOwn(MODEL_NAMES, name)) return MODEL_NAMES[name];
  const match = /^blk\.(\d{1,4})\.(\w+)\.(weight|bias)$/.exec(name);
  const part = match && Object.hasOwn(LAYER_NAMES, match[2]!) ? LAYER_NAMES[match[2]!] : undefined;
  return match && part ? `model.layers.${Number(match[1])}.${part}.${match[3]}` : undefined;
}

/** `rotaryRows` is the number of rows of a head whose rotary halves the file interleaves, or 0 where it does not. */
function float32Source(name: string, tensor: GgufTensor, rotaryRows: number): TensorSource {
  const isVector = tensor.shape.length === 1;
  const columns = isVector ? 1 : tensor.shape.at(-1)!;
  return {
    name,
    type: 'F32',
    shape: tensor.shape,
    async *chunks() {
      const { elements, bytes } = BLOCKS[tensor.type];
      // A slice holds whole heads where rows move, else whole blocks; its float32 values fill about CHUNK_BYTES.
      const unit = rotaryRows > 0 ? rotaryRows * (isVector ? elements : columns) : elements;
      const slice = Math.max(1, Math.floor(CHUNK_BYTES / 4 / unit)) * unit;
      for await (const chunk of tensorChunks(tensor, (slice / elements) * bytes)) {
        const values = dequantize(chunk, tensor.type);
        if (!allFinite(values))
          throw errors.notFinite(`${tensor.file}: tensor ${tensor.name} holds NaN or infinity, so the model cannot be used.`);
        const ordered = rotaryRows > 0 ? separateHalves(values, rotaryRows, columns) : values;
        yield new Uint8Array(ordered.buffer, ordered.byteOffset, ordered.byteLength);
      }
    },
  };
}

/**
 * Undoes llama.cpp's order of the rows of q and k. In each head of `rows` rows, its row 2i is row i here and its row
 * 2i + 1 is row i + rows / 2, so that rotary pairs are (i, i + rows / 2) again. `values` is [heads · rows, columns].
 */
function separateHalves(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  const half = rows / 2;
  for (let row = 0; row < values.length / columns; row++) {
    const inHead = row % rows;
    const target = row - inHead + (inHead % 2) * half + (inHead >> 1);
    out.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return out;
}

import { errors } from '../errors.ts';
import { formatBytes } from '../format.ts';
import type { BaseBits, DecoderConfig, LoraSettings } from '../models/types.ts';
import { loraModules } from '../encoder/lora.ts';

/** What decides how much memory a training takes. */
export interface MemoryNeed {
  readonly config: DecoderConfig;
  readonly layers: number;
  readonly lora: Pick<LoraSettings, 'rank' | 'targets'>;
  /** The longest text in tokens. */
  readonly length: number;
  /** Of the frozen projections; float32 when null. */
  readonly baseBits: BaseBits | null;
}

/** Longer runs are no faster, and a batch of any size is computed in runs of this size. */
const mostRunBytes = 1.75e9;
/** The program itself, tokenizer and buffers. */
const programBytes = 250e6;
/** Adapter, gradients, both moments, and what a step makes anew of each. */
const copiesOfAdapter = 7;

/**
 * Padded tokens that go through the model at a time, forward and backward, in the memory that is free.
 * Errors: TOO_LARGE where not even one text of the longest does.
 */
export function planRunTokens(need: MemoryNeed, freeBytes: number): number {
  const perToken = bytesPerToken(need);
  const fixed = fixedBytes(need);
  const tokens = Math.floor(Math.min(mostRunBytes, freeBytes - fixed) / perToken);
  if (tokens >= need.length) return tokens;
  // A text that is longer than the run is a run of its own; that is not worth more than the limit where memory has it.
  if (freeBytes - fixed >= need.length * perToken) return need.length;
  throw tooLarge(need, freeBytes);
}

/** Throws TOO_LARGE where a run of so many tokens does not fit. */
export function checkRunTokens(need: MemoryNeed, tokens: number, freeBytes: number): void {
  const bytes = fixedBytes(need) + tokens * bytesPerToken(need);
  if (bytes <= freeBytes) return;
  throw errors.tooLarge(`${tokens} tokens at a time need about ${formatBytes(bytes)} and ${formatBytes(Math.max(0, freeBytes))} are free: take a smaller --micro-batch, or leave it out.`);
}

/**
 * What a token keeps from the forward pass for the backward one, in bytes: at each layer four tensors of the hidden size,
 * three of the MLP's and its row of the attention scores twice. Measured: 290 kB with 8 layers of SmolLM2 at 128 tokens.
 */
function bytesPerToken({ config, layers, length }: MemoryNeed): number {
  const { hiddenSize, intermediateSize, numAttentionHeads } = config;
  return 4 * layers * (4 * hiddenSize + 3 * intermediateSize + 2 * numAttentionHeads * length);
}

function fixedBytes({ config, layers, lora, baseBits }: MemoryNeed): number {
  const { vocabSize, hiddenSize, intermediateSize, headDim, numAttentionHeads, numKeyValueHeads } = config;
  const layer = hiddenSize * (headDim * 2 * (numAttentionHeads + numKeyValueHeads) + 3 * intermediateSize);
  const adapter = loraModules(config, layers, lora.targets).reduce((sum, { inputs, outputs }) => sum + lora.rank * (inputs + outputs), 0);
  const base = ((baseBits ?? 32) / 8) * layers * layer;
  return programBytes + base + 4 * (vocabSize * hiddenSize + copiesOfAdapter * adapter);
}

/** Says what would fit. */
function tooLarge(need: MemoryNeed, freeBytes: number): Error {
  const { layers, length } = need;
  const fits = (change: Partial<MemoryNeed>): boolean => {
    const changed = { ...need, ...change };
    return fixedBytes(changed) + changed.length * bytesPerToken(changed) <= freeBytes;
  };
  const fewer = Array.from({ length: layers }, (_, i) => layers - i).find((count) => fits({ layers: count }));
  const shorter = [256, 128, 64].find((tokens) => tokens < length && fits({ length: tokens }));
  const advice = [
    ...(shorter === undefined ? [] : [`texts of ${shorter} tokens (--max-length) would fit`]),
    ...(fewer === undefined ? [] : [`${fewer} ${fewer === 1 ? 'layer' : 'layers'} (--layers) would fit`]),
  ];
  const needed = fixedBytes(need) + length * bytesPerToken(need);
  return errors.tooLarge(
    `Training ${layers} layers on texts of ${length} tokens needs about ${formatBytes(needed)} and ${formatBytes(Math.max(0, freeBytes))} are free: ${advice.length > 0 ? advice.join(', and ') : 'take a smaller model'}.`,
  );
}

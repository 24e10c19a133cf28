/** How a weight is stored. All of them are widened exactly to float32 in the graph. */
export type StorageType = 'F32' | 'F16' | 'BF16';

/** One tensor inside a safetensors file; every bound has been checked against the file's size. */
export interface StoredTensor {
  readonly name: string;
  readonly type: StorageType;
  readonly shape: readonly number[];
  /** Absolute path of the file. */
  readonly file: string;
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Where bytes lie. */
export type FilePart = Pick<StoredTensor, 'file' | 'offset' | 'byteLength'>;

/** Bits of a quantized weight. */
export type BaseBits = 8 | 4;

/** A matrix [out,in] in few bits, row-major: w = scale q + minimum, with a scale for every `block` numbers. */
export interface QuantizedTensor {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly bits: BaseBits;
  /** A divisor of a row, or a row. */
  readonly block: number;
  /** int8 of -127 to 127, or two numbers of 0 to 15 a byte, the first in its low half. */
  readonly quants: FilePart;
  /** float32, one a block. */
  readonly scales: FilePart;
  /** float32, one a block; 0 where undefined. */
  readonly minimums: FilePart | undefined;
}

/** A weight as a program may have it. */
export type Weight = StoredTensor | QuantizedTensor;

/** Rotary embedding: base frequencies and the rule that rescales them. */
export type RopeScaling =
  | { readonly type: 'default' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

/** What config.json says, with every key that changes the mathematics read or refused. */
export interface DecoderConfig {
  readonly family: 'llama';
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly rmsNormEpsilon: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
  readonly maxPositionEmbeddings: number;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** config.json as it stands, for writing it again. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** A text as token ids, each with the characters it covers. */
export interface TokenizedText {
  readonly ids: readonly number[];
  /** `[start, end)` in Unicode code points of the text; tokens the tokenizer adds have an empty span. */
  readonly spans: ReadonlyArray<readonly [start: number, end: number]>;
  /** True for tokens that the tokenizer added (bos); they are never pooled. */
  readonly added: readonly boolean[];
}

export interface TokenizeOptions {
  readonly addSpecialTokens?: boolean | undefined;
  readonly maxTokens?: number | undefined;
}

/** A tokenizer opened from a checkpoint folder. */
export interface Tokenizer {
  /** Ids run from 0 to this, exclusive. */
  readonly vocabSize: number;
  /** Whether it puts a token of its own before the text. */
  readonly addsBos: boolean;
  /**
   * A text as tokens. `addSpecialTokens` (default true) puts the tokenizer's own before and after it; with `maxTokens`,
   * only the first so many are computed, added ones counted, in a time that depends on them and not on the text.
   */
  tokenize(text: string, options?: TokenizeOptions): TokenizedText;
}

/** The projections that a LoRA may stand beside, by the last part of their names. */
export type LoraTarget = 'q_proj' | 'k_proj' | 'v_proj' | 'o_proj' | 'gate_proj' | 'up_proj' | 'down_proj';

/** What sets a LoRA apart (Hu et al. 2021, arXiv 2106.09685): y = W x + (alpha / rank) B A dropout(x). */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Share of the inputs that a step leaves out, 0 to below 1. */
  readonly dropout: number;
  /** Projections by the last part of their names. */
  readonly targets: readonly LoraTarget[];
}

/** The adapter's tensors by parameter name: A [rank,in] and B [out,rank] of every module, row-major. */
export type LoraParameters = ReadonlyMap<string, Float32Array>;

/** A LoRA with its numbers. */
export interface Lora {
  readonly lora: LoraSettings;
  readonly parameters: LoraParameters;
}

/** A decoder model in a folder: everything needed to run it, nothing loaded yet. */
export interface Checkpoint {
  /** Absolute path of the folder. */
  readonly directory: string;
  /** What to call it in reports: a file name, a hub id or the default model's name. */
  readonly name: string;
  readonly config: DecoderConfig;
  /** By the name it has in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Weights in fewer bits that programs compute with in the place of those; what is merged and written is `tensors`. */
  readonly quantized?: ReadonlyMap<string, Weight> | undefined;
  readonly tokenizer: Tokenizer;
  /** What is kept apart from the weights and belongs to the model: whoever runs it applies this, too. */
  readonly adapter?: Lora | undefined;
  /** SHA-256, hexadecimal, of what defines the model; computed once and remembered beside the data home. */
  fingerprint(): Promise<string>;
}

/** Progress of a download or a conversion, in bytes. */
export interface ByteProgress {
  readonly what: string;
  readonly doneBytes: number;
  /** Undefined where the source does not say. */
  readonly totalBytes: number | undefined;
}

/** Where a model was found, and what it is. */
export interface ResolvedModel {
  /** A checkpoint folder. */
  readonly directory: string;
  /** What to call it in reports: a file or folder name, a hub id or the default model's name. */
  readonly name: string;
  /** A sentence: which file or revision was used, and from where. */
  readonly how: string;
  /** SHA-256, hexadecimal, of the one file it was made from, where there is one. */
  readonly sha256?: string | undefined;
}

export interface ResolveOptions {
  /** The data home (`--home`). */
  readonly home?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
}

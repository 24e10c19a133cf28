/** How tokens see each other: each the ones before it, as the model was trained, or all. */
export type Attention = 'causal' | 'bidirectional';

/** How a text's token vectors become one. */
export type Pooling = 'weighted_mean' | 'mean' | 'last_token' | 'first_token';

/** Every setting that changes a vector, beside the weights themselves. */
export interface EncoderSettings {
  readonly attention: Attention;
  readonly pooling: Pooling;
  /** Longest text in tokens, those the tokenizer adds included; what is longer is cut on the right. */
  readonly maxLength: number;
}

export const attentions: readonly Attention[] = ['causal', 'bidirectional'];
export const poolings: readonly Pooling[] = ['weighted_mean', 'mean', 'last_token', 'first_token'];
export const defaultEncoderSettings: EncoderSettings = { attention: 'causal', pooling: 'weighted_mean', maxLength: 512 };

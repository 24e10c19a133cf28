import type { DecoderConfig } from '../models/types.ts';

/** How a family of decoders names its tensors; what else sets it apart is read from the config. */
export interface Family {
  readonly embedding: string;
  readonly finalNorm: string;
  layer(index: number): {
    readonly attentionNorm: string;
    readonly query: string;
    readonly key: string;
    readonly value: string;
    readonly attentionOutput: string;
    readonly mlpNorm: string;
    readonly gate: string;
    readonly up: string;
    readonly down: string;
  };
}

const llama: Family = {
  embedding: 'embed_tokens.weight',
  finalNorm: 'norm.weight',
  layer: (index) => ({
    attentionNorm: `layers.${index}.input_layernorm.weight`,
    query: `layers.${index}.self_attn.q_proj`,
    key: `layers.${index}.self_attn.k_proj`,
    value: `layers.${index}.self_attn.v_proj`,
    attentionOutput: `layers.${index}.self_attn.o_proj`,
    mlpNorm: `layers.${index}.post_attention_layernorm.weight`,
    gate: `layers.${index}.mlp.gate_proj`,
    up: `layers.${index}.mlp.up_proj`,
    down: `layers.${index}.mlp.down_proj`,
  }),
};

/** The record of each family; a new one is an entry here. */
export const families: Readonly<Record<DecoderConfig['family'], Family>> = { llama };

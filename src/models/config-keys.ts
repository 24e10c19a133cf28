/**
 * What every key of config.json means to us. A key that is in none of these lists is refused, because it might change
 * the mathematics. The keys are those that transformers' `PretrainedConfig` and `LlamaConfig` write, versions 4 and 5,
 * and those found in well-known models.
 */

/** Keys that say nothing about hidden states: names, token ids, training and generation settings. */
export const HARMLESS_KEYS: ReadonlySet<string> = new Set([
  // Names and provenance.
  'architectures',
  'model_type',
  'name_or_path',
  'transformers_version',
  'transformers.js_config',
  'tokenizer_class',
  'finetuning_task',
  'task_specific_params',
  'problem_type',
  'id2label',
  'label2id',
  'num_labels',
  'is_llama_config',
  'unsloth_fixed',
  'unsloth_version',
  'license',
  // Storage: read from the tensors themselves.
  'torch_dtype',
  'dtype',
  // Token ids.
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  'sep_token_id',
  'cls_token_id',
  'mask_token_id',
  'unk_token_id',
  'decoder_start_token_id',
  'forced_bos_token_id',
  'forced_eos_token_id',
  'prefix',
  // The output matrix is not part of the encoder.
  'tie_word_embeddings',
  'tie_encoder_decoder',
  'num_logits_to_keep',
  // Training.
  'initializer_range',
  'attention_dropout',
  'hidden_dropout',
  'resid_pdrop',
  'embd_pdrop',
  'attn_pdrop',
  'classifier_dropout',
  'gradient_checkpointing',
  // How a framework computes and what it returns.
  'use_cache',
  'return_dict',
  'output_attentions',
  'output_hidden_states',
  'output_scores',
  'return_dict_in_generate',
  'torchscript',
  'use_bfloat16',
  'tf_legacy_loss',
  'chunk_size_feed_forward',
  'attn_implementation',
  'is_decoder',
  'cross_attention_hidden_size',
  'max_sequence_length',
  // Generation.
  'max_length',
  'max_new_tokens',
  'min_length',
  'do_sample',
  'early_stopping',
  'num_beams',
  'num_beam_groups',
  'num_return_sequences',
  'diversity_penalty',
  'temperature',
  'top_k',
  'top_p',
  'typical_p',
  'repetition_penalty',
  'encoder_repetition_penalty',
  'length_penalty',
  'no_repeat_ngram_size',
  'encoder_no_repeat_ngram_size',
  'bad_words_ids',
  'remove_invalid_values',
  'exponential_decay_length_penalty',
  'suppress_tokens',
  'begin_suppress_tokens',
]);

/** Keys that are accepted while they say what is so anyway. Null always is. */
export const NEUTRAL_VALUES: Readonly<Record<string, (value: unknown) => boolean>> = {
  // More than 1 splits each projection into slices and sums them: the same up to rounding, but nobody has used it since 2023.
  pretraining_tp: (value) => value === 1,
  sliding_window: () => false,
  use_sliding_window: (value) => value === false,
  attn_logit_softcapping: () => false,
  final_logit_softcapping: () => false,
  partial_rotary_factor: (value) => value === 1,
  rotary_pct: (value) => value === 1,
  rope_interleaved: (value) => value === false,
  layer_types: (value) => Array.isArray(value) && value.every((type) => type === 'full_attention'),
  use_qk_norm: (value) => value === false,
  qk_norm: (value) => value === false,
  pruned_heads: (value) => typeof value === 'object' && Object.keys(value as object).length === 0,
  add_cross_attention: (value) => value === false,
  is_encoder_decoder: (value) => value === false,
  // Attention is a setting of ours, and this key its default.
  is_causal: (value) => typeof value === 'boolean',
  use_bidirectional_attention: (value) => value === false,
  quantization_config: () => false,
  auto_map: () => false,
  num_experts: (value) => value === 0,
  num_local_experts: (value) => value === 0,
};

/** Why a key of the list above is refused, where its name does not say it. */
export const REFUSALS: Readonly<Record<string, string>> = {
  quantization_config: 'quantised weights are read from GGUF files only: use the model in float32, float16 or bfloat16',
  auto_map: 'the model brings code of its own, which is never run',
  num_experts: 'mixtures of experts are not implemented',
  num_local_experts: 'mixtures of experts are not implemented',
};

/** The file name that `modules.json` refers to; Python imports it by this name. */
export const PYTHON_MODULE_NAME = 'l3prune_pooling';

/**
 * The Python module that a checkpoint carries where the stock pooling of sentence-transformers is not exact. Kept as
 * text in a TypeScript file so that it is there in a bundle, in plain Node and in the tests alike.
 */
export const pythonModule = String.raw`"""L3Prune's pooling for sentence-transformers 5.4 or newer; load it with trust_remote_code=True.

The stock pooling counts its weights from the start of the sequence and pools what the tokenizer adds. Here only the
tokens of the text itself are pooled, and their weights start at 1 on the first of them: a token belongs to the text
when its characters overlap it, so that a token over the border of instruction and text counts, and a bos never does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import Module, Transformer
from tokenizers import Tokenizer


class L3PruneTransformer(Transformer):
    """The decoder. It marks the tokens to pool while it still knows where the prompt ends, and pads on the right."""

    config_keys = [*Transformer.config_keys, "attention"]

    def __init__(self, *args, attention: str = "causal", **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if attention not in ("causal", "bidirectional"):
            raise ValueError(f"attention must be causal or bidirectional, not {attention!r}.")
        self.attention = attention
        self._span_tokenizer: Tokenizer | None = None

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **kwargs) -> dict[str, Any]:
        """Token ids [B,S] cut and padded on the right, with attention_mask and pooled_mask [B,S]."""
        # A TypeError would make sentence-transformers try again with the prompt glued to the text.
        if not all(isinstance(text, str) for text in inputs):
            raise ValueError("This model encodes strings only.")
        if not inputs:
            return {}
        return self.features(inputs, [prompt or ""] * len(inputs), kwargs.get("max_length"))

    def features(self, texts: Sequence[str], prompts: Sequence[str], max_length: int | None = None) -> dict[str, Any]:
        """The same with a prompt a text."""
        limit = max_length or self.max_seq_length
        whole = [prompt + text for prompt, text in zip(prompts, texts)]
        rows = []
        for prompt, encoding in zip(prompts, self.span_tokenizer.encode_batch(whole)):
            # Code points; what the tokenizer adds has an empty span and overlaps nothing.
            pooled = [int(start < end and end > len(prompt)) for start, end in encoding.offsets]
            rows.append((encoding.ids[:limit], pooled[:limit]))
        width = max(1, *(len(ids) for ids, _ in rows))

        def padded(values: list[list[int]]) -> torch.Tensor:
            return torch.tensor([row + [0] * (width - len(row)) for row in values], dtype=torch.long)

        return {
            "input_ids": padded([ids for ids, _ in rows]),
            "attention_mask": padded([[1] * len(ids) for ids, _ in rows]),
            "pooled_mask": padded([pooled for _, pooled in rows]),
            "modality": "text",
        }

    @property
    def span_tokenizer(self) -> Tokenizer:
        """The model's tokenizer, reporting whole spans: trimmed ones would leave a token of spaces out."""
        if self._span_tokenizer is None:
            untrimmed = _without_trimming(json.loads(self.tokenizer.backend_tokenizer.to_str()))
            self._span_tokenizer = Tokenizer.from_str(json.dumps(untrimmed))
            self._span_tokenizer.no_truncation()
            self._span_tokenizer.no_padding()
        return self._span_tokenizer

    def forward(self, features: dict[str, Any], **kwargs) -> dict[str, Any]:
        # pooled_mask is for the pooling alone: the decoder would hand an unknown key on to its attention.
        pooled_mask = features.pop("pooled_mask")
        attention_mask = features["attention_mask"]
        if self.attention == "bidirectional":
            features["attention_mask"] = self._everything_visible(attention_mask)
        features = super().forward(features, **kwargs)
        features["attention_mask"] = attention_mask
        features["pooled_mask"] = pooled_mask
        return features

    def _everything_visible(self, attention_mask: torch.Tensor) -> torch.Tensor:
        """[B,1,S,S], added to the attention scores: 0 for every token, a large negative number for padding."""
        dtype = self.model.dtype
        hidden = (attention_mask == 0)[:, None, None, :].expand(-1, 1, attention_mask.shape[1], -1)
        return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill(hidden, torch.finfo(dtype).min)


class L3PrunePooling(Module):
    """token_embeddings [B,S,D] to sentence_embedding [B,D]; a zero vector where there is nothing to pool."""

    config_keys = ["embedding_dimension", "pooling"]

    def __init__(self, embedding_dimension: int, pooling: str = "weighted_mean") -> None:
        super().__init__()
        if pooling not in ("weighted_mean", "mean", "last_token", "first_token"):
            raise ValueError(f"Unknown pooling {pooling!r}.")
        self.embedding_dimension = embedding_dimension
        self.pooling = pooling

    def forward(self, features: dict[str, Any], **kwargs) -> dict[str, Any]:
        embeddings = features["token_embeddings"]
        mask = features["pooled_mask"]  # [B,S]
        order = mask.cumsum(dim=1) * mask  # 1..n over the pooled tokens, 0 elsewhere
        if self.pooling == "weighted_mean":
            weights = order
        elif self.pooling == "mean":
            weights = mask
        elif self.pooling == "last_token":
            weights = ((order == mask.sum(dim=1, keepdim=True)) & (mask == 1)).long()
        else:  # first_token: position 0 of the sequence, whatever it is
            weights = torch.zeros_like(mask)
            weights[:, 0] = features["attention_mask"][:, 0]
        weights = weights.to(torch.promote_types(embeddings.dtype, torch.float32))[:, :, None]  # [B,S,1]
        # A row of padding alone may hold NaN, and NaN times 0 is NaN.
        weighted = torch.where(weights > 0, embeddings * weights, torch.zeros_like(weights))
        pooled = weighted.sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        features["sentence_embedding"] = pooled.to(embeddings.dtype)
        return features

    def get_embedding_dimension(self) -> int:
        return self.embedding_dimension

    def save(self, output_path: str, *args, **kwargs) -> None:
        self.save_config(output_path)


def _without_trimming(node: Any) -> Any:
    """tokenizer.json with trim_offsets false wherever it stands."""
    if isinstance(node, dict):
        return {key: False if key == "trim_offsets" else _without_trimming(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_trimming(value) for value in node]
    return node
`;

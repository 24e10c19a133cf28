"""PyTorch doing what the benches measure, driven over standard input so that its runs alternate with ours.

A JSON document a line. {"load": folder, "layers": n, "every": bool, "threads": n, "bfloat16": bool} opens the model cut
to n layers, in float32 with sdpa attention; the decoder runs under bfloat16 autocast where that is asked for.
{"ids": [[…]], "weights": [[…]]}, one bucket padded on the right, is run in inference mode: each layer's output (or the
last one's) is normed and pooled with the given weights. The answer is a line too: {"name"} or {"seconds", "first"}, the
last layer's vector of the bucket's first text.
"""

import time

import torch
import transformers
from serve import serve
from transformers import AutoModel


class Peer:
    def __init__(self, load: str, layers: int, every: bool, threads: int, bfloat16: bool = False) -> None:
        torch.set_num_threads(threads)
        self.model = AutoModel.from_pretrained(
            load, num_hidden_layers=layers, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()
        self.every = every
        self.bfloat16 = bfloat16
        self.weights: torch.Tensor | None = None
        self.pooled: list[torch.Tensor] = []
        if every:
            for layer in self.model.layers[:-1]:
                layer.register_forward_hook(self._pool_layer)

    def _pool_layer(self, _module, _inputs, output) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        self._pool(self.model.norm(hidden))

    def _pool(self, hidden: torch.Tensor) -> None:
        self.pooled.append((self.weights @ hidden.float()).squeeze(1))  # [B,1,S] @ [B,S,D]

    def run(self, ids: list[list[int]], weights: list[list[float]]) -> dict:
        start = time.perf_counter()
        self.pooled = []
        self.weights = torch.tensor(weights).unsqueeze(1)
        with torch.inference_mode():
            # Padded on the right under a causal mask, no real token sees padding: without a mask of its own the
            # attention takes its fastest path.
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                hidden = self.model(torch.tensor(ids), use_cache=False).last_hidden_state
            self._pool(hidden)
            embeddings = torch.stack(self.pooled).numpy()
        return {"seconds": time.perf_counter() - start, "first": embeddings[-1, 0].tolist()}


serve(f"PyTorch {torch.__version__}, transformers {transformers.__version__}", Peer, Peer.run)

"""PyTorch and PEFT taking the training steps that the benches measure, driven over standard input.

A JSON document a line. {"load": folder, "adapter": folder, "layers": n, "threads": n, "bfloat16": bool, "scale": x,
"lr": x, "clip": x} opens the model cut to n layers with the adapter, in float32 with sdpa attention, and an AdamW.
{"buckets": [{"ids": [[…]], "weights": [[…]]}, …], "queries": [row, …], "documents": [row, …], "bias": [[…]]} is a step:
buckets padded on the right, pooled with the given weights, the rows of queries and documents among all of their texts,
and what is added to the scores. The answer is a line too: {"name"} or {"seconds", "loss"}.
"""

import time
import warnings

import peft
import torch
from peft import PeftModel
from serve import serve
from transformers import AutoModel


class Peer:
    def __init__(self, load, adapter, layers, threads, bfloat16, scale, lr, clip) -> None:
        torch.set_num_threads(threads)
        base = AutoModel.from_pretrained(
            load, num_hidden_layers=layers, dtype=torch.float32, attn_implementation="sdpa"
        )
        self.model = PeftModel.from_pretrained(base, adapter, is_trainable=True).train()
        self.decoder = self.model.get_base_model()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=lr, weight_decay=0.0)
        self.bfloat16, self.scale, self.clip = bfloat16, scale, clip

    def embed(self, ids, weights) -> torch.Tensor:
        # Padded on the right under a causal mask, no real token sees padding: without a mask of its own the attention
        # takes its fastest path.
        hidden = self.decoder(torch.tensor(ids), use_cache=False).last_hidden_state
        return (torch.tensor(weights).unsqueeze(1) @ hidden.float()).squeeze(1)  # [B,1,S] @ [B,S,D]

    def step(self, buckets, queries, documents, bias) -> dict:
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            pooled = [self.embed(**bucket) for bucket in buckets]
        unit = torch.nn.functional.normalize(torch.cat(pooled), dim=-1)
        scores = self.scale * unit[torch.tensor(queries)] @ unit[torch.tensor(documents)].T + torch.tensor(bias)
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(queries)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {"seconds": time.perf_counter() - start, "loss": loss.item()}


warnings.simplefilter("ignore", FutureWarning)
serve(f"PyTorch {torch.__version__}, PEFT {peft.__version__}", Peer, Peer.step)

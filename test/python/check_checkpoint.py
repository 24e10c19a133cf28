"""Opens pruned checkpoints as a Python user would and measures how far their numbers are from ours.

Reads {"folder", "trust", "hidden": [{"ids", "states"}], "texts": [{"text", "query", "embedding"}]} a line on standard
input, and prints {"hidden": …, "embeddings": …, "alone": …} a line: the largest |a - b| / |b| over all vectors, of
transformers' hidden states, of sentence-transformers' embeddings in one batch, and of the same texts one by one.
"""

import json
import sys

import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel


def distance(got: torch.Tensor, expected: torch.Tensor) -> float:
    return ((got - expected).norm(dim=-1) / expected.norm(dim=-1)).max().item()


def hidden_states(folder: str, cases: list[dict]) -> float:
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    worst = 0.0
    with torch.inference_mode():
        for case in cases:
            states = model(torch.tensor([case["ids"]])).last_hidden_state[0]  # [S,D]
            worst = max(worst, distance(states, torch.tensor(case["states"])))
    return worst


def embeddings(folder: str, trust: bool, cases: list[dict]) -> tuple[float, float]:
    model = SentenceTransformer(folder, trust_remote_code=trust, device="cpu")
    together, alone = 0.0, 0.0
    # What is encoded in no role counts as a document.
    for query, encode in ((True, model.encode_query), (False, model.encode_document), (False, model.encode)):
        chosen = [case for case in cases if case["query"] is query]
        texts = [case["text"] for case in chosen]
        expected = torch.tensor([case["embedding"] for case in chosen])
        together = max(together, distance(torch.tensor(encode(texts)), expected))
        alone = max(alone, distance(torch.stack([torch.tensor(encode(text)) for text in texts]), expected))
    return together, alone


for line in sys.stdin:
    checkpoint = json.loads(line)
    together, alone = embeddings(checkpoint["folder"], checkpoint["trust"], checkpoint["texts"])
    hidden = hidden_states(checkpoint["folder"], checkpoint["hidden"])
    print(json.dumps({"hidden": hidden, "embeddings": together, "alone": alone}), flush=True)

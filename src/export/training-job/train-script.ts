/** The script that a training job's folder is run by. */
export const SCRIPT_NAME = 'train.py';

/**
 * Trains what the folder holds with sentence-transformers and peft on accelerate. Kept as text in a TypeScript file, as
 * the pooling module is, so that it is there in a bundle, in plain Node and in the tests alike.
 */
export const trainScript = String.raw`"""Trains the LoRA of this folder: sentence-transformers and peft on accelerate, on one process or many.

    accelerate launch train.py [--out output] [--resume] [--micro-batch 32]

Every process encodes its share of a batch's texts, the embeddings are gathered, and each process computes the loss of
the whole batch, all its negatives included. What that brings to the adapter is summed over the processes, so that a step
is the same on any number of them. README.md says how to run this and how to bring the result back.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from statistics import fmean

import torch
from accelerate import Accelerator
from peft import PeftModel
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel

from l3prune_pooling import L3PrunePooling, L3PruneTransformer

JOB = Path(__file__).resolve().parent
SAVE_SECONDS = 120
# The losses of so many steps are one number in the manifest, which shows so many points of the curve.
LOSS_WINDOW = 20
CURVE_POINTS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the LoRA of this folder.")
    parser.add_argument("--out", type=Path, default=JOB / "output", help="the checkpoint folder to write")
    parser.add_argument("--resume", action="store_true", help="go on from the last state that was saved in it")
    parser.add_argument("--micro-batch", type=int, help="texts that a process encodes at a time (default: all of its share)")
    arguments = parser.parse_args()
    if arguments.micro_batch is not None and arguments.micro_batch < 1:
        raise SystemExit("--micro-batch has to be at least 1.")

    saved = arguments.out / "training" / "state.json"
    if (arguments.out / "l3prune.json").exists():
        raise SystemExit(f"{arguments.out} holds a checkpoint already: name another folder with --out.")
    if saved.exists() and not arguments.resume:
        raise SystemExit(f"{arguments.out} holds a run already: go on with it by --resume, or name another folder with --out.")
    accelerator = Accelerator()
    if accelerator.mixed_precision not in ("no", "bf16"):
        raise SystemExit(f"This run knows float32 and bf16, not {accelerator.mixed_precision}: launch it with --mixed_precision bf16 or no.")
    job = json.loads((JOB / "training-job.json").read_text(encoding="utf-8"))
    trainer = Trainer(accelerator, job, arguments.out, arguments.micro_batch)
    if saved.exists():
        trainer.load_state()
    # Nobody writes before everybody has looked.
    accelerator.wait_for_everyone()
    trainer.train()
    if accelerator.is_main_process:
        trainer.write_checkpoint()


class Trainer:
    def __init__(self, accelerator: Accelerator, job: dict, out: Path, micro_batch: int | None) -> None:
        self.accelerator = accelerator
        self.job = job
        self.settings = settings = job["settings"]
        self.out = out
        self.micro_batch = micro_batch
        self.step = 0
        self.model = open_model(settings, accelerator)
        self.parameters = {adapter_name(name): p for name, p in self.model.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(self.parameters.values(), betas=(0.9, 0.999), eps=1e-8, weight_decay=settings["weightDecay"])
        # A step a line: the bytes at which its rows begin in rows.jsonl.
        self.batches = (JOB / "data" / "batches.jsonl").read_text(encoding="utf-8").splitlines()

    def train(self) -> None:
        saved_at = time.monotonic()
        while self.step < self.settings["steps"]:
            started = time.monotonic()
            metrics = self.train_step(read_rows(json.loads(self.batches[self.step])))
            self.step += 1
            if not self.accelerator.is_main_process:
                continue
            self.report({"step": self.step, **metrics, "seconds": time.monotonic() - started})
            is_due = self.step % self.job["saveEvery"] == 0 or self.step == self.settings["steps"]
            if is_due or time.monotonic() - saved_at > SAVE_SECONDS:
                self.save_state()
                saved_at = time.monotonic()

    def train_step(self, rows: list[dict]) -> dict:
        texts = texts_of(rows, self.settings["separator"])
        # Every process takes texts of all lengths, and encodes those of similar length together.
        by_length = sorted(range(len(texts)), key=lambda place: -sum(map(len, texts[place])))
        processes, process = self.accelerator.num_processes, self.accelerator.process_index
        share = by_length[process::processes]
        size = self.micro_batch or max(1, len(share))
        chunks = [[texts[place] for place in share[first : first + size]] for first in range(0, len(share), size)]

        # Gradient caching (Gao et al. 2021): what does not fit at once is encoded without gradients first, and again with
        # them once the loss has said what each embedding brings.
        fits = len(chunks) <= 1
        with torch.set_grad_enabled(fits):
            encoded = [self.embed(chunk, number) for number, chunk in enumerate(chunks)]
        embeddings = self.gather([vectors.detach() for vectors, _ in encoded], by_length)
        embeddings.requires_grad_()
        loss = contrastive_loss(embeddings, false_negatives(rows).to(embeddings.device), self.settings["scale"])
        if not torch.isfinite(loss):
            raise SystemExit(f"The training diverged: at step {self.step + 1} the loss is {loss.item()}. Train with a lower lr.")
        loss.backward()
        gradients = embeddings.grad[torch.tensor(share, dtype=torch.long, device=embeddings.device)].split(size)
        for number, (chunk, gradient) in enumerate(zip(chunks, gradients)):
            vectors = encoded[number][0] if fits else self.embed(chunk, number)[0]
            vectors.backward(gradient)

        self.sum_gradients()
        lr = learning_rate(self.settings, self.step)
        grad_norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings["clip"])
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        tokens = torch.tensor(sum(count for _, count in encoded), device=self.accelerator.device)
        tokens = int(self.accelerator.reduce(tokens, "sum"))
        return {"loss": loss.item(), "gradNorm": float(grad_norm), "lr": lr, "tokens": tokens}

    def embed(self, texts: list[tuple[str, str]], number: int) -> tuple[torch.Tensor, int]:
        """Embeddings [texts,D] in float32, and how many tokens were read."""
        # Dropout is drawn from step, process and chunk, so that both passes of gradient caching and a resumed run have it.
        torch.manual_seed(hash((self.settings["seed"], self.step, self.accelerator.process_index, number)) % 2**63)
        features = self.model[0].features([text for _, text in texts], [prompt for prompt, _ in texts])
        tokens = int(features["attention_mask"].sum())
        features = {key: value.to(self.accelerator.device) if torch.is_tensor(value) else value for key, value in features.items()}
        with self.accelerator.autocast():
            return self.model(features)["sentence_embedding"].float(), tokens

    def gather(self, parts: list[torch.Tensor], by_length: list[int]) -> torch.Tensor:
        """The embeddings of all processes in the order of the batch's texts, [texts,D]."""
        processes = self.accelerator.num_processes
        size = self.model[1].embedding_dimension
        padded = torch.zeros(-(-len(by_length) // processes), size, device=self.accelerator.device)
        for first, row in enumerate(torch.cat(parts) if parts else []):
            padded[first] = row
        gathered = self.accelerator.gather(padded).view(processes, -1, size)
        ordered = torch.empty(len(by_length), size, device=padded.device)
        for position, place in enumerate(by_length):
            ordered[place] = gathered[position % processes, position // processes]
        return ordered

    def sum_gradients(self) -> None:
        """One sum over the processes for all parameters together."""
        parameters = self.parameters.values()
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        summed = self.accelerator.reduce(flat, "sum")
        for parameter, gradient in zip(parameters, summed.split([p.numel() for p in parameters])):
            parameter.grad = gradient.view_as(parameter)

    def report(self, metrics: dict) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        with open(self.out / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
        left = (self.settings["steps"] - self.step) * metrics["seconds"]
        speed = metrics["tokens"] / metrics["seconds"]
        print(f"step {self.step} of {self.settings['steps']}  loss {metrics['loss']:.4f}  {speed:.0f} tokens/s  {left / 60:.0f} min left", flush=True)

    def save_state(self) -> None:
        """A file of tensors, then the small file that names it: a run that is killed has this state or the one before."""
        folder = self.out / "training"
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, parameter in self.parameters.items():
            moments = self.optimizer.state[parameter]
            for kind, value in (("parameters", parameter), ("first", moments["exp_avg"]), ("second", moments["exp_avg_sq"])):
                tensors[f"{kind}.{name}"] = value.detach().cpu().contiguous()
        file = folder / f"state-{self.step}.safetensors"
        save_file(tensors, file)
        write_json(folder / "state.json", {"step": self.step, "tensors": file.name})
        for other in folder.glob("state-*.safetensors"):
            if other != file:
                other.unlink()

    def load_state(self) -> None:
        folder = self.out / "training"
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / state["tensors"], device=str(self.accelerator.device))
        self.step = state["step"]
        for name, parameter in self.parameters.items():
            parameter.data.copy_(tensors[f"parameters.{name}"])
            moments = {"exp_avg": tensors[f"first.{name}"], "exp_avg_sq": tensors[f"second.{name}"]}
            self.optimizer.state[parameter] = {"step": torch.tensor(float(self.step)), **moments}
        # What was written past the state is written again.
        if self.accelerator.is_main_process:
            path = self.out / "metrics.jsonl"
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[: self.step]), encoding="utf-8")

    def write_checkpoint(self) -> None:
        """The adapter, the weights with or without it, and what makes the folder a checkpoint; the manifest comes last."""
        base, adapter = JOB / "base", self.out / "adapter"
        shutil.copytree(base, self.out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors" if self.job["merge"] else ""))
        shutil.copytree(JOB / "adapter", adapter, dirs_exist_ok=True)
        tensors = {f"base_model.model.{name}.weight": p.detach().cpu().contiguous() for name, p in self.parameters.items()}
        save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
        if self.job["merge"]:
            model = AutoModel.from_pretrained(base, dtype=torch.float32)
            PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(self.out)
        manifest = json.loads((JOB / "checkpoint" / "l3prune.json").read_text(encoding="utf-8"))
        manifest["created"] = manifest["history"][-1]["date"] = datetime.now(timezone.utc).isoformat()
        manifest["history"][-1]["training"].update(self.measured())
        shutil.copytree(JOB / "checkpoint", self.out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("l3prune.json"))
        write_json(self.out / "l3prune.json", manifest)
        shutil.rmtree(self.out / "training")
        print(f"{self.out} is a checkpoint: l3prune and sentence-transformers open it.", flush=True)

    def measured(self) -> dict:
        """What the manifest keeps of the steps."""
        lines = [json.loads(line) for line in (self.out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        losses = [line["loss"] for line in lines]
        window = min(LOSS_WINDOW, len(losses))
        means = [fmean(losses[first : first + window]) for first in range(len(losses) - window + 1)]
        size = math.ceil(len(lines) / CURVE_POINTS)
        parts = [lines[first : first + size] for first in range(0, len(lines), size)]
        return {
            "steps": self.step,
            "step": self.step,
            "loss": {"first": means[0], "last": means[-1], "lowest": min(means), "window": window},
            "curve": [[part[-1]["step"], fmean(line["loss"] for line in part)] for part in parts],
            "tokens": sum(line["tokens"] for line in lines),
            "seconds": sum(line["seconds"] for line in lines),
        }


def open_model(settings: dict, accelerator: Accelerator) -> SentenceTransformer:
    """The frozen base in the precision of the run, with the adapter of this folder in float32."""
    dtype = torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32
    transformer = L3PruneTransformer(
        str(JOB / "base"),
        attention=settings["attention"],
        max_seq_length=settings["maxLength"],
        model_kwargs={"dtype": dtype},
    )
    transformer.model = PeftModel.from_pretrained(transformer.model, JOB / "adapter", is_trainable=True)
    pooling = L3PrunePooling(transformer.get_embedding_dimension(), settings["pooling"])
    model = SentenceTransformer(modules=[transformer, pooling], device=str(accelerator.device)).eval()
    # The adapter's dropout is the only one.
    for name, module in model.named_modules():
        if "lora_dropout" in name:
            module.train()
    return model


def adapter_name(parameter: str) -> str:
    """A parameter by its place in the decoder: "layers.0.self_attn.q_proj.lora_A"."""
    return parameter.split("base_model.model.")[1].removesuffix(".default.weight")


def read_rows(offsets: list[int]) -> list[dict]:
    rows = []
    with open(JOB / "data" / "rows.jsonl", "rb") as file:
        for offset in offsets:
            file.seek(offset)
            rows.append(json.loads(file.readline()))
    return rows


def texts_of(rows: list[dict], separator: str) -> list[tuple[str, str]]:
    """Queries, positives, then all hard negatives, each with what stands before it and is not pooled."""
    queries = [(row["instruction"] + separator if "instruction" in row else "", row["query"]) for row in rows]
    return queries + [("", text) for text in documents_of(rows)]


def documents_of(rows: list[dict]) -> list[str]:
    return [row["positive"] for row in rows] + [text for row in rows for text in row["negatives"]]


def false_negatives(rows: list[dict]) -> torch.Tensor:
    """True [queries,documents] where a document answers the query and is not its own: such a one is no negative."""
    answers, columns = defaultdict(set), defaultdict(list)
    for row in rows:
        answers[row["query"]].add(row["positive"])
    for column, text in enumerate(documents_of(rows)):
        columns[text].append(column)
    mask = torch.zeros(len(rows), len(documents_of(rows)), dtype=torch.bool)
    for number, row in enumerate(rows):
        for answer in answers[row["query"]]:
            mask[number, columns[answer]] = True
        mask[number, number] = False
    return mask


def contrastive_loss(embeddings: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
    """-log softmax(scale · cos(query, documents)) at the query's own document, the mean over queries."""
    queries, documents = embeddings.split([len(mask), len(embeddings) - len(mask)])
    scores = scale * normalize(queries) @ normalize(documents).T
    return cross_entropy(scores.masked_fill(mask, -torch.inf), torch.arange(len(mask), device=scores.device))


def learning_rate(settings: dict, step: int) -> float:
    """Of a step counted from 0: linear from 0 over the warm-up, then linear to 0."""
    lr, warmup, steps = settings["lr"], settings["warmup"], settings["steps"]
    if step < warmup:
        return lr * step / max(1, warmup)
    return lr * max(0, steps - step) / max(1, steps - warmup)


def write_json(path: Path, value: object) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
`;

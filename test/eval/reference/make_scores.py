"""Makes scores.json: what SciPy, scikit-learn, trec_eval, NumPy and mteb make of small synthetic data.

    python make_scores.py > scores.json

Needs numpy, scipy, scikit-learn, pytrec_eval-terrier and mteb 2. Vectors are whole numbers, to be divided by 8, so that
float32 holds them exactly.
"""

import json
import sys
import warnings

import numpy as np
import pytrec_eval
import scipy.stats
from datasets import Dataset, DatasetDict
from mteb.abstasks.classification import AbsTaskClassification
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.abs_encoder import AbsEncoder
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, v_measure_score

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)
SCALE = 8


def finite(x):
    return None if np.isnan(x) else float(x)


def spearman():
    n = 25
    cases = {
        "values that all differ": (rng.normal(size=n), rng.normal(size=n)),
        "ties on both sides": (rng.integers(0, 4, n), rng.integers(0, 6, n)),
        "the same order": (np.arange(n), np.arange(n) ** 3),
        "the opposite order": (np.arange(n), -np.arange(n)),
        "two observations": (np.array([1, 2]), np.array([5, 3])),
        "numbers that are nearly equal": (1 + np.arange(n) * 1e-15, rng.permutation(n)),
        "a constant side": (np.ones(n), rng.normal(size=n)),
    }
    return [
        {"name": name, "x": x.tolist(), "y": y.tolist(), "value": finite(scipy.stats.spearmanr(x, y)[0])}
        for name, (x, y) in cases.items()
    ]


def average_precision():
    n = 30
    relevant = rng.random(n) < 0.3
    cases = {
        "scores that all differ": (relevant, rng.normal(size=n)),
        "ties": (relevant, rng.integers(0, 5, n)),
        "one score for all": (relevant, np.zeros(n)),
        "all relevant": (np.ones(5, bool), rng.normal(size=5)),
        "the only relevant one last": (np.arange(6) == 5, -np.arange(6)),
        "everything relevant first": (np.arange(6) < 2, -np.arange(6)),
    }
    return [
        {"name": name, "relevant": r.tolist(), "scores": s.tolist(), "value": float(average_precision_score(r, s))}
        for name, (r, s) in cases.items()
    ]


def v_measure():
    n = 40
    classes = rng.integers(0, 4, n)
    cases = {
        "clusters at random": (classes, rng.integers(0, 5, n)),
        "clusters that are mostly right": (classes, np.where(rng.random(n) < 0.8, classes, rng.integers(0, 4, n))),
        "the classes by other names": (classes, 7 - classes),
        "one cluster": (classes, np.zeros(n, int)),
        "a cluster for each": (classes, np.arange(n)),
        "one class in several clusters": (np.zeros(n, int), classes),
        "one class in one cluster": (np.zeros(n, int), np.zeros(n, int)),
        "clusters that cut across the classes": (np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])),
    }
    return [
        {"name": name, "classes": a.tolist(), "clusters": b.tolist(), "value": float(v_measure_score(a, b))}
        for name, (a, b) in cases.items()
    ]


def rankings():
    documents = [f"d{i}" for i in range(40)]
    cases = {
        "grades of 1 to 3": {"d0": 1, "d3": 3, "d7": 2, "d12": 3, "d39": 1},
        "more relevant ones than the cutoff": {f"d{i}": 1 + i % 3 for i in range(0, 30, 2)},
        "one of a high grade behind the cutoff": {"d2": 1, "d20": 9},
        "judged irrelevant ones beside": {"d1": 0, "d4": 2, "d5": -1},
    }
    out = []
    for name, qrels in cases.items():
        run = {d: 100.0 - i for i, d in enumerate(documents)}
        measures = {"ndcg_cut.10", "recip_rank", "recall.1,10,100"}
        m = pytrec_eval.RelevanceEvaluator({"q": qrels}, measures).evaluate({"q": run})["q"]
        values = {"ndcgAt10": m["ndcg_cut_10"], "recallAt1": m["recall_1"], "recallAt10": m["recall_10"], "recallAt100": m["recall_100"]}
        out.append({"name": name, "grades": qrels, "ranking": documents, "values": values})
    return out


def blobs(n, features, classes, spread, column_scale=None):
    """Whole numbers around a centre a class."""
    centres = rng.normal(size=(classes, features)) * SCALE
    labels = np.arange(n) % classes
    x = centres[labels] + rng.normal(size=(n, features)) * spread * SCALE
    if column_scale is not None:
        x = x * column_scale
    return np.rint(x).astype(int), labels


def logistic():
    cases = {
        "two classes": (*blobs(40, 5, 2, 1.5), 100),
        "five classes": (*blobs(60, 6, 5, 1.0), 100),
        "iterations that run out": (*blobs(48, 6, 4, 1.5, np.array([1, 2, 8, 40, 200, 1000])), 100),
        "one iteration": (*blobs(24, 4, 3, 1.0), 1),
    }
    out = []
    for name, (x, y, iterations) in cases.items():
        half = len(x) * 2 // 3
        model = LogisticRegression(max_iter=iterations).fit(x[:half] / SCALE, y[:half])
        out.append(
            {
                "name": name,
                "iterations": iterations,
                "train": x[:half].tolist(),
                "labels": y[:half].tolist(),
                "test": x[half:].tolist(),
                "weights": model.coef_.tolist(),
                "intercepts": model.intercept_.tolist(),
                "steps": int(model.n_iter_[0]),
                "predicted": model.predict(x[half:] / SCALE).tolist(),
            }
        )
    return out


def k_means():
    out = []
    for name, (n, k, spread) in {"blobs apart": (60, 4, 0.2), "blobs that overlap": (90, 5, 1.0)}.items():
        x, labels = blobs(n, 6, k, spread)
        model = KMeans(n_clusters=k, n_init=100, random_state=0, tol=0).fit(x / SCALE)
        out.append({"name": name, "clusters": k, "vectors": x.tolist(), "classes": labels.tolist(), "inertia": float(model.inertia_)})
    return out


def shuffles():
    out = []
    for seed, n, times in [(42, 10, 3), (0, 33, 1), (2**32 - 1, 17, 2), (7, 1500, 2)]:
        items = list(range(n))
        for _ in range(times):
            np.random.RandomState(seed).shuffle(items)
        out.append({"seed": seed, "count": n, "times": times, "first": items[:12], "last": items[-12:]})
    return out


class Vectors(AbsEncoder):
    """Gives the texts "0", "1", … their vectors."""

    mteb_model_meta = None

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, inputs, **_):
        return np.array([self.vectors[int(text)] for batch in inputs for text in batch["text"]])


class Labels(AbsTaskClassification):
    metadata = TaskMetadata(
        name="Labels",
        description="Synthetic",
        dataset={"path": "none/none", "revision": "1"},
        type="Classification",
        category="t2c",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="accuracy",
    )


def classification():
    """A whole task by mteb itself."""
    x, y = blobs(110, 6, 4, 1.3)
    y = np.where(rng.random(110) < 0.1, rng.integers(0, 4, 110), y)
    rows = [{"text": str(i), "label": int(label)} for i, label in enumerate(y)]
    task = Labels()
    task.dataset = DatasetDict(train=Dataset.from_list(rows[:70]), test=Dataset.from_list(rows[70:]))
    task.data_loaded = True
    scores = task.evaluate(Vectors(x / SCALE), "test", encode_kwargs={"batch_size": 32})["default"]
    each = [experiment["accuracy"] for experiment in scores["scores_per_experiment"]]
    return {"vectors": x.tolist(), "labels": y.tolist(), "train": 70, "accuracies": each, "accuracy": scores["accuracy"]}


json.dump(
    {
        "scale": SCALE,
        "spearman": spearman(),
        "averagePrecision": average_precision(),
        "vMeasure": v_measure(),
        "rankings": rankings(),
        "logistic": logistic(),
        "kMeans": k_means(),
        "shuffles": shuffles(),
        "classification": classification(),
    },
    sys.stdout,
    separators=(",", ":"),
)

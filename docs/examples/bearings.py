"""The functions that machine_learning.py calls in processes, and recordings for it to work on.

A process imports the module in which a function is defined. So these functions have a module of
their own, which a notebook can use as well. Functions import the libraries that only they need.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

RATE = 8192  # samples per second
DEFECT = 107.0  # Hz: how often a ball rolls over a defect of the outer ring
NAMES = ("rms", "kurtosis", "crest", "defect")


def record(folder: Path, count: int, seconds: int, seed: int) -> list[dict[str, Any]]:
    """Files of vibrations, as a measuring station writes them; every third bearing has a defect.
    The last file is cut off."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(seconds * RATE) / RATE
    rows = []
    for number in range(count):
        defective = number % 3 == 0
        samples = rng.normal(0, 0.5, time.size) + np.sin(2 * np.pi * rng.uniform(23, 27) * time)
        if defective:  # Each roll over the defect rings for a few milliseconds.
            since = np.mod(time, 1 / DEFECT)
            ringing = np.exp(-since * 700) * np.sin(2 * np.pi * 2500 * since)
            samples += rng.uniform(0.4, 1.6) * ringing
        file = folder / f"B{seed}-{number:04}.npy"
        np.save(file, samples.astype(np.float32))
        rows.append({"bearing": file.stem, "defective": defective, "file": str(file)})
    file.write_bytes(file.read_bytes()[:1000])
    return rows


def features(file: str) -> dict[str, float]:
    """Four numbers that tell of a defect."""
    samples = np.load(file)
    rms = float(np.sqrt(np.mean(samples**2)))
    # The envelope, by a Hilbert transform: its spectrum has a peak where defects ring.
    spectrum = np.fft.fft(samples - samples.mean())
    spectrum[: 1000 * samples.size // RATE] = 0
    spectrum[samples.size // 2 :] = 0
    envelope = np.abs(np.fft.ifft(spectrum))
    lines = np.abs(np.fft.rfft(envelope - envelope.mean()))
    near = round(DEFECT * samples.size / RATE)
    return {
        "rms": rms,
        "kurtosis": float(np.mean((samples - samples.mean()) ** 4) / samples.var() ** 2),
        "crest": float(np.abs(samples).max() / rms),
        "defect": float(lines[near - 2 : near + 3].max() / np.median(lines)),
    }


def train(model: str, table: Any, labels: Any, file: str) -> dict[str, str]:
    """Train a model, and keep it in a file."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(50, random_state=0)
    fitted = {"linear": linear, "forest": forest}[model].fit(table, labels)
    Path(file).write_bytes(pickle.dumps(fitted))
    return {"trained": file}


def load(file: Path) -> Any:
    """A model from its file: each process does this once in a run."""
    return pickle.loads(file.read_bytes())


def predict(batch: Sequence[Any], model: Any) -> dict[str, list[float]]:
    """The probability of a defect for each recording of a batch, by one call of the model."""
    table = [[recording[name] for name in NAMES] for recording in batch]
    return {"scores": model.predict_proba(table)[:, 1].tolist()}


def measure(model: str, labels: list[bool], scores: list[float]) -> dict[str, float]:
    """The accuracy of scores, and the area under their ROC curve."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    right = accuracy_score(labels, [score > 0.5 for score in scores])
    return {"accuracy": right, "auc": roc_auc_score(labels, scores)}


def plot(frame: Any, file: Path) -> None:
    """Draw the scores of both models for each recording, for dark and for light pages."""
    import matplotlib.pyplot as plt

    dark = plt.style.context("dark_background")
    for style, suffix in ((nullcontext(), ""), (dark, "_dark")):
        with style:
            figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
            for defective, label in ((False, "sound"), (True, "defective")):
                of_kind = frame[frame["recording", "defective"] == defective]["score", "score"]
                axes.scatter(of_kind["linear"], of_kind["forest"], s=12, alpha=0.6, label=label)
            axes.set_xlabel("probability of a defect, linear")
            axes.set_ylabel("probability of a defect, forest")
            axes.legend()
            figure.savefig(file.with_stem(f"{file.stem}{suffix}"), transparent=True)
        if suffix:
            plt.close(figure)  # a notebook shows the other one

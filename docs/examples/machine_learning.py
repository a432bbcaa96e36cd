"""Score recordings of bearings by two models, side by side.

    python docs/examples/machine_learning.py [--small] [--out FOLDER]

Features are computed in processes, from the files of a measuring station; two models of
scikit-learn are trained, and score new recordings in batches. Each score keeps its recording.
"""

# %%
from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

import reactivex
from bearings import NAMES, features, load, measure, plot, predict, record, train
from reactivex import operators as ops
from stand_ins.arguments import arguments
from stand_ins.pictures import draw

from fluxus_rx import DictProduct, RunResult, path, run, rx_pipe, step

MODELS = ("linear", "forest")

# %% [markdown]
# Features need the processor, so each call runs in a process. A recording that can't be read
# becomes a failure, which the result keeps. `ordered` makes the batches the same in each run.


# %%
def featured(recordings: list[dict[str, Any]]) -> Any:
    """The recordings with their features."""
    computed = step("features", features).options(ordered=True, on_error="collect")
    return step("recording", recordings) >> computed.options(executor="process")


# %% [markdown]
# Each model has a process of its own: it is loaded once there, and called once for each batch. A
# batch comes of many recordings; `apart` makes each score a product of its recording again.


# %%
def apart(batch: Any) -> Any:
    """The scores of a batch, each with the lineage of its recording."""
    pairs = zip(batch["batch"], batch["scores"], strict=True)
    return reactivex.of(*[DictProduct("score", {"score": s}, recording) for recording, s in pairs])


def scored_by(model: str, folder: Path) -> Any:
    """The branch of a model."""
    kept = partial(load, folder / f"{model}.pickle")
    asked = step("predict", predict, using={"model": kept}).options(
        executor="process", concurrency=1, on_error="collect"
    )
    return path(model, asked >> rx_pipe(ops.concat_map(apart), name="scores"))


def scoring(recordings: list[dict[str, Any]], folder: Path, size: int = 32) -> Any:
    """Features, batches of this size, and the scores of each model."""
    batches = rx_pipe(ops.buffer_with_count(size), name="batch")
    linear, forest = (scored_by(model, folder) for model in MODELS)
    return featured(recordings) >> batches >> (linear & forest)


# %%
def train_models(recordings: list[dict[str, Any]], folder: Path) -> None:
    """Train both models at the same time, each in a process."""
    known = run(featured(recordings))
    table = [[output["features"][name] for name in NAMES] for output in known[0]]
    trained = step("train", train, table=table, labels=known.values("defective"))
    models = [{"model": name, "file": str(folder / f"{name}.pickle")} for name in MODELS]
    run(step("model", models) >> trained.options(executor="process"))


def measured(frame: Any) -> RunResult:
    """The accuracy of each model, and the area under its ROC curve."""
    labels, scores = frame["recording", "defective"], frame["score", "score"]
    models = [{"model": m, "labels": [*labels[m]], "scores": [*scores[m]]} for m in MODELS]
    return run(step("model", models) >> step("measure", measure).options(executor="process"))


# %%
def main(out: Path, small: bool) -> None:
    # All processes are forked from one that has imported these.
    multiprocessing.set_forkserver_preload(["fluxus_rx", "sklearn.ensemble"])
    seconds, known, count = (1, 90, 90) if small else (2, 300, 1000)
    train_models(record(out / "known", known, seconds, seed=0), out)
    flow = scoring(record(out / "new", count, seconds, seed=1), out)
    flow.draw()
    result = run(flow, timestamps=True, progress=not small)
    print(f"\n{result.summary()}\n")
    for failure in result.failures:
        print(
            f"{failure.step} of {failure.product['bearing']} failed: {failure.exception!s:.60} …\n"
        )
    frame = result.to_frame()
    frame.to_csv(out / "scores.csv")
    p50 = {one.step.partition(":")[0]: 1000 * one.p50 for one in result.summary().steps}
    for name, found in zip(MODELS, measured(frame)[0], strict=True):
        quality = "accuracy {accuracy:.2f}, AUC {auc:.2f}".format(**found["measure"])
        print(f"{name}: {quality}, {p50[name]:.1f} ms for a batch")
    plot(frame, out / "scores.svg")
    draw(flow, result, out)


if __name__ == "__main__":
    main(*arguments("machine_learning"))

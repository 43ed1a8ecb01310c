"""Measure how long the commands that show a study take if it has 10,000 trials of 20 epochs.

python benchmarks/big_study.py [--trials 10000] [--epochs 20] [--home FOLDER] [--only report]

The study is written into the database in bulk, as runs would have left it: nine of ten trials are complete, the others
pruned or failed. With ``--home``, it is kept there, and a study that is already there is measured. Each command is a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from machine import resident
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages._rdb import models as optuna_rows
from optuna.trial import TrialState
from rich.console import Console
from sqlalchemy import insert
from tuner_storage import Store, locate
from tuner_storage.opening import has_database
from tuner_storage.tables import AttemptRow, EpochRow, RunRow, utc_now

from tuner import studies
from tuner.config.recipe import Recipe, parse_recipe
from tuner.report.tables import new_table

NAME = "big"
SECONDS = 2.0  # of one epoch
WORKERS = 2
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "layers": IntDistribution(1, 3),
    "units_0": IntDistribution(64, 512, log=True),
    "units_1": IntDistribution(64, 512, log=True),
    "units_2": IntDistribution(64, 512, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "input_dropout": FloatDistribution(0.0, 0.3),
    "activation": CategoricalDistribution(("relu", "elu", "silu")),
    "batch_norm": CategoricalDistribution((False, True)),
    "optimizer": CategoricalDistribution(("adam", "adamw", "rmsprop", "sgd")),
    "momentum": FloatDistribution(0.8, 0.98),
    "learning_rate": FloatDistribution(3e-4, 1e-2, log=True),
    "weight_decay": FloatDistribution(1e-6, 1e-3, log=True),
    "batch_size": CategoricalDistribution((64, 128, 256)),
}


def recipe(trials: int, epochs: int) -> Recipe:
    """Return the recipe of the study: a space like that of the search for MNIST."""
    return parse_recipe(
        {
            "name": NAME,
            "data": "mnist",
            "budget": {"trials": trials, "epochs": epochs},
            "search": {"sampler": "random", "pruner": "median"},
            "space": {
                "layers": {"type": "int", "low": 1, "high": 3},
                "units": {"type": "int", "low": 64, "high": 512, "log": True},
                "dropout": {"type": "float", "low": 0.0, "high": 0.5},
                "input_dropout": {"type": "float", "low": 0.0, "high": 0.3},
                "activation": {"type": "choice", "choices": ["relu", "elu", "silu"]},
                "batch_norm": {"type": "choice", "choices": [False, True]},
                "optimizer": {"type": "choice", "choices": ["adam", "adamw", "rmsprop", "sgd"]},
                "momentum": {"type": "float", "low": 0.8, "high": 0.98, "when": {"optimizer": "sgd"}},
                "learning_rate": {"type": "float", "low": 3e-4, "high": 1e-2, "log": True},
                "weight_decay": {"type": "float", "low": 1e-6, "high": 1e-3, "log": True},
                "batch_size": {"type": "choice", "choices": [64, 128, 256]},
            },
        },
        "benchmark",
    )


def build(store: Store, trials: int, epochs: int) -> None:
    """Write the study into a database."""
    search = recipe(trials, epochs)
    stored = studies.create_or_resume(store, NAME, search, "0" * 64)
    length = timedelta(seconds=trials * epochs * SECONDS / WORKERS)
    began = utc_now() - length
    rows: dict[Any, list[dict[str, Any]]] = {}
    random = np.random.default_rng(0)
    ids = stored.study._study_id, stored.record.id  # noqa: SLF001 - Optuna's rows are written directly
    for number in range(trials):
        started = began + number * length / trials
        for table, row in rows_of(number, epochs, random, started, ids):
            rows.setdefault(table, []).append(row)
    timing = {
        "wall": length.total_seconds(),
        "slots": WORKERS,
        "trainers": {"train": WORKERS * length.total_seconds()},
        "coordinator": {"waiting": length.total_seconds()},
        "programs": {"traced": trials, "reused": 0},
    }
    run = {"owner": "host:1:1", "workers": WORKERS, "device": "CPU", "started": began, "ended": began + length}
    rows[RunRow] = [{"study_id": stored.record.id, "stopped_by": None, "timing": timing, **run}]
    with store.database.write() as session:
        for table, some in rows.items():
            session.execute(insert(table), some)


def rows_of(
    number: int, epochs: int, random: np.random.Generator, started: datetime, ids: tuple[int, int]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the rows of one trial, each with its table. ``ids`` are the study's row in Optuna's tables and in ours."""
    optuna_id, study_id = ids
    chance = random.random()
    state = TrialState.COMPLETE if chance < 0.9 else TrialState.PRUNED if chance < 0.99 else TrialState.FAIL
    trained = epochs if state == TrialState.COMPLETE else max(1, epochs // 3)
    params = drawn(random)
    trial_id, ended = number + 1, started + timedelta(seconds=trained * SECONDS)
    yield (
        optuna_rows.TrialModel,
        {"trial_id": trial_id, "number": number, "study_id": optuna_id, "state": state,
         "_datetime_start_utc": started, "_datetime_complete_utc": ended},
    )  # fmt: skip
    for name, value in params.items():
        distribution = DISTRIBUTIONS[name]
        yield (
            optuna_rows.TrialParamModel,
            {"trial_id": trial_id, "param_name": name, "param_value": distribution.to_internal_repr(value),
             "distribution_json": distribution_to_json(distribution)},
        )  # fmt: skip
    top = 0.985 - 0.01 * math.log10(params["learning_rate"] / 2e-3) ** 2 - 0.02 * params["dropout"]
    top += float(random.normal(0, 0.002))
    history = [metrics_at(top, epoch, random) for epoch in range(trained)]
    for epoch, metrics in enumerate(history):
        yield (
            EpochRow,
            {"study_id": study_id, "trial_number": number, "epoch": epoch, "metrics": metrics, "seconds": SECONDS},
        )
        yield (
            optuna_rows.TrialIntermediateValueModel,
            {"trial_id": trial_id, "step": epoch, "intermediate_value": metrics["val_accuracy"],
             "intermediate_value_type": optuna_rows.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE},
        )  # fmt: skip
    best = max(range(trained), key=lambda epoch: history[epoch]["val_accuracy"])
    failed = state == TrialState.FAIL
    attributes = {
        "seed": number,
        "epochs": trained,
        "seconds": trained * SECONDS,
        "parameters": 1000 * (1 + number % 500),
        **({"reason": f"loss was nan in epoch {trained}"} if failed else {"best_epoch": best, **history[best]}),
    }
    for key, value in attributes.items():
        yield (
            optuna_rows.TrialUserAttributeModel,
            {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)},
        )
    if state == TrialState.COMPLETE:
        yield (
            optuna_rows.TrialValueModel,
            {"trial_id": trial_id, "objective": 0, "value": history[best]["val_accuracy"],
             "value_type": optuna_rows.TrialValueModel.TrialValueType.FINITE},
        )  # fmt: skip
    outcome = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}[state]
    yield (
        AttemptRow,
        {"study_id": study_id, "trial_number": number, "attempt": 0, "owner": "host:1:1", "started": started,
         "ended": ended, "outcome": outcome, "reason": attributes.get("reason"), "device": "CPU"},
    )  # fmt: skip


def drawn(random: np.random.Generator) -> dict[str, Any]:
    """Draw a configuration; some parameters depend on others."""
    params: dict[str, Any] = {}
    for name, distribution in DISTRIBUTIONS.items():
        if name == "momentum" and params["optimizer"] != "sgd":
            continue
        if name.startswith("units_") and int(name[-1]) >= params["layers"]:
            continue
        if isinstance(distribution, CategoricalDistribution):
            params[name] = distribution.choices[random.integers(len(distribution.choices))]
        elif isinstance(distribution, IntDistribution):
            params[name] = int(random.integers(distribution.low, distribution.high + 1))
        elif isinstance(distribution, FloatDistribution):
            low, high = distribution.low, distribution.high
            params[name] = float(
                low * (high / low) ** random.random() if distribution.log else random.uniform(low, high)
            )
    return params


def metrics_at(top: float, epoch: int, random: np.random.Generator) -> dict[str, float]:
    """Return the metrics of an epoch of a trial that approaches an accuracy of ``top``."""
    accuracy = min(0.9999, top * (1 - 0.5 * math.exp(-(epoch + 1) / 3)) + float(random.normal(0, 5e-4)))
    loss = -math.log(accuracy)
    return {
        "loss": 0.9 * loss,
        "accuracy": min(1.0, accuracy + 0.005),
        "val_loss": loss,
        "val_accuracy": accuracy,
        "learning_rate": 0.001,
    }


def build_at(home: Path, trials: int, epochs: int) -> None:
    """Write the study into a new database in a home folder."""
    with studies.opened(locate(home=home), create=True) as store:
        build(store, trials, epochs)


def run(home: Path, *words: str, head: bool = False) -> tuple[float, float]:
    """Run a command, and return its seconds, and its peak memory in MiB.

    Args:
        home: The home folder.
        words: The command and its arguments.
        head: Stop reading after ten lines, as ``head`` does.
    """
    began, command = time.perf_counter(), [sys.executable, "-m", "tuner", *words, "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        if head:
            for _ in range(10):
                process.stdout.readline()
            process.stdout.close()
        else:
            process.stdout.read()
        _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def first_page(home: Path) -> tuple[float, float]:
    """Start the dashboard, and return the seconds until it has answered all that the page of a study requests."""
    began, command = (
        time.perf_counter(),
        [sys.executable, "-m", "tuner", "dashboard", "--home", str(home), "--port", "0"],
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            address = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
            root = address.rstrip("/").removesuffix("/dashboard")
            for path in (
                "/dashboard",
                "/api/meta",
                "/api/studies",
                "/api/studies/1",
                "/api/studies/1/param_importances",
            ):
                with urllib.request.urlopen(root + path, timeout=300) as answer:  # noqa: S310 - our own server
                    answer.read()
            return time.perf_counter() - began, resident(process.pid, peak=True)
        finally:
            process.terminate()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="trials of the study [10000]")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of a complete trial [20]")
    parser.add_argument("--home", type=Path, help="keep the study in this folder")
    parser.add_argument("--only", default="", help="measure only the rows whose title begins so")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary, "home")
        if not has_database(locate(home=home)):
            began = time.perf_counter()
            # In a process of its own: the peak memory of what is started later would include that of this one.
            builder = get_context("spawn").Process(target=build_at, args=(home, options.trials, options.epochs))
            builder.start()
            builder.join()
            if builder.exitcode:
                sys.exit("the study could not be built")
            print(f"built {options.trials} trials of {options.epochs} epochs in {time.perf_counter() - began:.0f} s")
        page = Path(temporary, "report.html")
        measures: dict[str, Callable[[], tuple[float, float]]] = {
            "report --html": lambda: run(home, "report", NAME, "--html", str(page), "--force"),
            "report": lambda: run(home, "report", NAME),
            "study best": lambda: run(home, "study", "best", NAME),
            "study list": lambda: run(home, "study", "list"),
            "study trials | head": lambda: run(home, "study", "trials", NAME, head=True),
            "study compare with itself": lambda: run(home, "study", "compare", NAME, NAME),
            "dashboard, first page": lambda: first_page(home),
        }
        table = new_table(f"A study of {options.trials:,} trials of {options.epochs} epochs")
        for column in ("", "seconds", "peak MiB"):
            table.add_column(column, justify="right" if column else "left")
        for title, measure in measures.items():
            if title.startswith(options.only):
                seconds, memory = measure()
                table.add_row(title, f"{seconds:.1f}", f"{memory:.0f}")
        Console(width=100).print(table)
        if page.is_file():
            print(f"report.html: {page.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()

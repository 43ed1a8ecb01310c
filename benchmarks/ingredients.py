"""Show what each ingredient of the networks for tables gives: the start configuration without it, and as it is.

TUNER_DATA=FOLDER python benchmarks/ingredients.py [--tables cars,winequality-white] [--seeds 0,1,2] [--epochs 64]

One study per table and seed trains each configuration once, on the same rows and for the same epochs, without pruning.
A figure is the loss of quality on the validation rows without the ingredient, as a share of the error: RMSE for
numbers, 1 - AUC for classes. So 2 % means that the error is 2 % larger without it. The standard error is that over all
tables and seeds. `tables.py --without NAME` shows the same after a whole search.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from machine import data_folder, versions
from rich.console import Console
from tables_split import SOURCES, split, write_csv

from tuner.config.recipe import Recipe
from tuner.report.tables import new_table
from tuner.study import open_study
from tuner.table_search import TableOptions, new_table_search

FULL = "RealMLP-TD"
# What an ingredient is replaced by: what a plain MLP has.
WITHOUT: dict[str, dict[str, Any]] = {
    "numeric_embedding": {"numeric_embedding": "none"},
    "periodic (piecewise_linear instead)": {"numeric_embedding": "piecewise_linear"},
    "input_scale": {"input_scale": False},
    "parametric_activation": {"parametric_activation": False},
    "activation (relu instead)": {"activation": "relu"},
    "ntk (standard, learning rate 0.002)": {"parametrization": "standard", "learning_rate": 0.002},
    "schedule coslog": {"schedule": "constant"},
    "schedule coslog (cosine instead)": {"schedule": "cosine"},
    "beta_2 0.95 (0.999 instead)": {"beta_2": 0.999},
    "dropout": {"dropout": 0.0},
    "dropout_schedule": {"dropout_schedule": "constant"},
    "weight_decay": {"weight_decay": 0.0},
    "weight_decay_schedule": {"weight_decay_schedule": "constant"},
    "label_smoothing": {"label_smoothing": 0.0},
}


def main() -> None:
    """Train all configurations and print what each ingredient gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(SOURCES), help="[all six]")
    parser.add_argument("--seeds", default="0,1,2", help="[0,1,2]")
    parser.add_argument("--epochs", type=int, default=64, help="of each configuration [64]")
    parser.add_argument("--workers", type=int, default=2, help="[2]")
    parser.add_argument("--output", type=Path, default=Path("ingredients.json"), help="[ingredients.json]")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    errors: dict[str, dict[str, list[float]]] = {}
    for table in options.tables.split(","):
        for seed in seeds:
            found = _errors(table, seed, options.epochs, options.workers)
            for label, error in found.items():
                errors.setdefault(table, {}).setdefault(label, []).append(error)
            print(f"{table}, seed {seed}: {FULL} {found[FULL]:.5g}", file=sys.stderr, flush=True)
            report = {"versions": versions("tensorflow", "keras"), "epochs": options.epochs, "errors": errors}
            options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(errors)


def _errors(table: str, seed: int, epochs: int, workers: int) -> dict[str, float]:
    """Return the error of each configuration on the validation rows of a table."""
    data_dir = data_folder()
    if data_dir is None:
        raise SystemExit("name the folder of the tables with TUNER_DATA")
    data = split(data_dir, table)
    with tempfile.TemporaryDirectory() as folder:
        file, recipe = Path(folder, f"{table}.csv"), Path(folder, "recipe.toml")
        write_csv(file, data.columns, data.train)
        default = new_table_search(str(file), TableOptions(target=data.target)).recipe
        start = next(start for start in default.start if start.label == FULL)
        variants = _variants(start.params)
        recipe.write_text(_recipe(file.name, data.target, default, variants, epochs), encoding="utf-8")
        study = open_study(str(recipe), home=Path(folder, "home"), data_dir=Path(folder))
        study.run(trials=len(variants), workers=workers, seed=seed, timeout="2h")
        trials = {trial.label: trial for trial in study.trials()}
    errors: dict[str, float] = {}
    for label in variants:
        trial = trials.get(label)
        if trial is None or trial.value is None:
            raise SystemExit(f"{table}: no value for {label}: {trial}")
        errors[label] = 1 - trial.value if data.classes else trial.value
    return errors


def _variants(full: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the changes of each configuration. What a table's start configuration does not set is not changed."""
    labels = {"label_smoothing": "label_smoothing" in full}
    return {FULL: {}, **{label: change for label, change in WITHOUT.items() if labels.get(label, True)}}


def _recipe(file: str, target: str, default: Recipe, variants: Mapping[str, Mapping[str, Any]], epochs: int) -> str:
    """Return the recipe of a study that trains each configuration once."""
    full = {**default.search_space.base, **next(start.params for start in default.start if start.label == FULL)}
    space: dict[str, Any] = dict(full)
    for name in {name for change in variants.values() for name in change}:
        values = [full[name], *(change[name] for change in variants.values() if name in change)]
        space[name] = {"type": "choice", "choices": list(dict.fromkeys(values))}
    searched = {name: full[name] for name, entry in space.items() if isinstance(entry, dict)}
    document = {
        "name": "ingredients",
        "data": file,
        "table": {"target": target},
        "objective": {"metric": default.objective.metric},
        "budget": {"trials": len(variants), "epochs": epochs, "keep": 1},
        "search": {"sampler": "random", "pruner": "none"},
        "space": space,
        "start": [{"label": label, "params": {**searched, **change}} for label, change in variants.items()],
    }
    return tomlkit.dumps(document)


def _print(errors: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Print a row for each ingredient: how much larger the error is without it, on each table and on average."""
    table = new_table()
    table.add_column("without")
    for name in (*errors, "mean"):
        table.add_column(name, justify="right")
    for label in WITHOUT:
        shares = {
            name: np.array(found[label]) / np.array(found[FULL]) - 1 for name, found in errors.items() if label in found
        }
        if not shares:
            continue
        every = np.concatenate(list(shares.values()))
        spread = every.std(ddof=1) / np.sqrt(every.size) if every.size > 1 else float("nan")
        cells = [f"{100 * shares[name].mean():+.1f} %" if name in shares else "" for name in errors]
        table.add_row(label, *cells, f"{100 * every.mean():+.1f} ± {100 * spread:.1f} %")
    Console(width=60 + 14 * len(errors)).print(table)


if __name__ == "__main__":
    main()

"""A study with complete, pruned and failed trials, and its archive."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.evaluations import evaluation_of_task
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tests.scripted import write_model
from tuner import studies
from tuner.archive.write import write_archive
from tuner.config.recipe import Recipe
from tuner.events import RefitEnd
from tuner.output_file import OutputFile

Change = Callable[[dict[str, Any]], None]


def recipe() -> Recipe:
    """Return a recipe; some of its trials complete, some fail and some are pruned."""
    return small_recipe(
        budget={"trials": 12, "epochs": 4, "keep": 3},
        search={"sampler": "tpe", "pruner": "median"},
        space={
            "learning_rate": {"type": "float", "low": 0.001, "high": 0.5, "log": True},
            "batch_size": {"type": "choice", "choices": [1, 32, 64, 128]},
            "layers": {"type": "int", "low": 1, "high": 2},
            "units": 8,
        },
        start=[{"label": "first", "params": {"learning_rate": 0.01, "batch_size": 32}}],
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study ``small`` in ``.tuner``, which has a refit, and its archive. No test changes it."""
    folder = tmp_path_factory.mktemp("archived")
    home, file = folder / ".tuner", folder / "small.zip"
    run_scripted(home, recipe())
    with studies.existing(locate(home=home), "small") as stored:
        best, study_id = stored.study.best_trial.number, stored.record.id
        model = write_model(stored.store.artifacts.refit_path(study_id, best), "trained again")
        stored.store.set_refit(study_id, RefitEnd(best, {"loss": 0.5, "accuracy": 0.75}, 4, 1797, model, seconds=0.1))
        evaluation = evaluation_of_task("binary").model_dump(mode="json")
        stored.store.set_refit_test(study_id, {"loss": 0.5, "accuracy": 0.7}, evaluation)
        write_archive(stored, OutputFile(file))
    return folder


@pytest.fixture
def exported(finished: Path, home: Path, tmp_path: Path) -> Path:
    """An archive of the study ``small`` in ``home``."""
    shutil.copytree(finished / ".tuner", home)
    return shutil.copyfile(finished / "small.zip", tmp_path / "small.zip")


def manifest_of(file: Path) -> dict[str, Any]:
    """Return the manifest of an archive."""
    with zipfile.ZipFile(file) as archive:
        manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return manifest


def tampered(file: Path, change: Change) -> Path:
    """Write a copy of an archive with a changed manifest, and return its path."""
    manifest = manifest_of(file)
    change(manifest)
    other = file.with_name("tampered.zip")
    with zipfile.ZipFile(file) as read, zipfile.ZipFile(other, "w") as written:
        for name in read.namelist():
            written.writestr(name, json.dumps(manifest) if name == "manifest.json" else read.read(name))
    return other

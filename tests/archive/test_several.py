"""Archives of studies with several objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.archive.conftest import tampered
from tests.recipes import small_recipe
from tests.run.test_several import SPACE
from tests.runs import run_scripted, trials_of
from tuner import studies
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.config.recipe import Recipe
from tuner.errors import UsageError
from tuner.output_file import OutputFile


def recipe(trials: int = 12) -> Recipe:
    """Return a recipe with three objectives; some of its trials are pruned."""
    return small_recipe(
        objectives=["val_accuracy", "parameters", "latency_ms"],
        budget={"trials": trials, "epochs": 6, "keep": 1},
        search={"sampler": "tpe", "pruner": "median"},
        space=SPACE,
    )


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> Path:
    run_scripted(home, recipe())
    assert {trial.state for trial in trials_of(home, recipe())} == {"complete", "pruned"}
    file = tmp_path / "small.zip"
    with studies.existing(locate(home=home), "small") as stored:
        write_archive(stored, OutputFile(file))
    return file


def test_exported_imported_and_exported_is_the_same(archive: Path, home: Path, tmp_path: Path) -> None:
    """Directions, values and models are the same, and so are the bytes of the two archives."""
    other = locate(home=tmp_path / "other")
    import_archive(archive, other)
    with studies.existing(other, "small") as stored:
        write_archive(stored, OutputFile(tmp_path / "again.zip"))
        assert [direction.name for direction in stored.study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]

    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()
    assert trials_of(tmp_path / "other", recipe()) == trials_of(home, recipe())


def test_an_imported_study_can_be_continued(archive: Path, tmp_path: Path) -> None:
    """A run adds the missing trials."""
    import_archive(archive, locate(home=tmp_path / "other"))
    run_scripted(tmp_path / "other", recipe(trials=15))

    assert len(trials_of(tmp_path / "other", recipe())) == 15


def test_a_trial_with_too_few_values_is_refused(archive: Path, tmp_path: Path) -> None:
    """A complete trial needs a value for every objective; nothing is imported."""

    def cut(manifest: dict[str, Any]) -> None:
        manifest["trials"][0]["values"].pop()

    with pytest.raises(UsageError, match=r"trial 0 has 2 values for 3 objectives"):
        import_archive(tampered(archive, cut), locate(home=tmp_path / "other"))
    assert not (tmp_path / "other" / "studies.db").exists()

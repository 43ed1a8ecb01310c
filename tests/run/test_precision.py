"""A study chooses its precision once, and keeps it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import SETUP, run_scripted
from tests.schemas import pixels, table
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.config.kept import changed_settings, continuing
from tuner.config.tables import Precision, by_table
from tuner.events import TrainerReady
from tuner.executors.inline import InlineExecutor
from tuner.jobs import TrainerSetup, TrialJob
from tuner.run.precision import StudyPrecision, possible_precision
from tuner.study import Study

FAST, SLOW = TrainerReady("cpu", bfloat16=True), TrainerReady("cpu", bfloat16=False)


def run_on(home: Path, trials: int, *, bfloat16: bool | None) -> set[str]:
    """Run a study on a trainer that measured something; return the precisions of its trials."""
    precisions: set[str] = set()

    class Trainer(ScriptedTrainer):
        def __init__(self, setup: TrainerSetup, threads: int | None) -> None:
            super().__init__(setup, threads)
            self.bfloat16 = bfloat16

        def execute(self, job: Any, *arguments: Any) -> Any:
            if isinstance(job, TrialJob):
                precisions.add(job.precision)
            return super().execute(job, *arguments)

    with studies.looked_up(locate(home=home), "small") as stored:
        recipe = small_recipe(budget={"trials": trials})
        recipe = continuing(recipe, stored.recipe, {}).recipe if stored else recipe
    run_scripted(home, recipe, executor=InlineExecutor(SETUP, Trainer))
    return precisions


@pytest.mark.parametrize(("measured", "chosen"), [(True, "bfloat16"), (False, "float32"), (None, "float32")])
def test_the_first_trainer_chooses_for_all_runs_of_a_study(home: Path, measured: bool | None, chosen: str) -> None:
    """Its trials can be compared, also if a later run is on another machine."""
    assert run_on(home, 2, bfloat16=measured) == {chosen}
    with studies.existing(locate(home=home), "small") as stored:
        assert stored.recipe.precision == chosen
    assert run_on(home, 3, bfloat16=not measured) == {chosen}


def test_only_the_first_trainer_decides() -> None:
    """A second one, or one that replaces it, changes nothing."""
    kept: list[str] = []

    def keep(chosen: Precision) -> Precision:
        kept.append(chosen)
        return chosen

    precision = StudyPrecision("auto", keep)
    for event in (SLOW, FAST):
        precision.trainer_ready(event)

    assert (precision.of_jobs, kept) == ("float32", ["float32"])


def test_a_study_in_bfloat16_goes_on_where_it_is_slow_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Its trials stay comparable."""
    precision = StudyPrecision("bfloat16")
    with caplog.at_level(logging.WARNING):
        for event in (FAST, SLOW, SLOW):
            precision.trainer_ready(event)

    assert precision.of_jobs == "bfloat16"
    assert caplog.messages == ["the study trains in bfloat16, which is no faster than float32 on cpu"]


def test_only_images_are_measured() -> None:
    """The numbers of a table would be rounded, unless a user asks for it."""
    assert possible_precision("auto", pixels((2, 2), 3)) == "auto"
    assert possible_precision("auto", table()) == "float32"
    assert possible_precision("bfloat16", table()) == "bfloat16"


def test_another_precision_is_another_study() -> None:
    """`auto` leaves the choice to the study; another value is refused."""
    before = small_recipe(precision="bfloat16")
    auto, other = by_table(precision="auto"), by_table(precision="float32")

    for overrides in ({}, auto):
        recipe, not_taken = continuing(small_recipe().changed(**overrides), before, overrides)
        assert (recipe.precision, not_taken) == ("bfloat16", ())
    recipe = continuing(small_recipe().changed(**other), before, other).recipe
    assert [setting.name for setting in changed_settings(recipe, before)] == ["precision"]


def test_a_study_of_an_older_version_goes_on_in_float32(home: Path) -> None:
    """Its snapshot names no precision."""
    run_scripted(home, small_recipe())
    with studies.existing(locate(home=home), "small") as stored:
        raw = {name: value for name, value in stored.record.recipe.items() if name != "precision"}
        stored.store.change_recipe(stored.record.id, raw)
    assert run_on(home, 50, bfloat16=True) == {"float32"}


@pytest.mark.slow
def test_a_trial_in_bfloat16_is_reproduced(home: Path) -> None:
    """`reproduce` trains in the precision of the study."""
    space = {"layers": 1, "units": 256, "batch_size": 256, "learning_rate": 0.01}
    study = Study("small", small_recipe(space=space, budget={"trials": 1, "epochs": 2}), locate(home=home), None)
    study.run(executor="inline", precision="bfloat16")

    with studies.existing(study.location, "small") as stored:
        assert stored.recipe.precision == "bfloat16"
    assert study.reproduce(executor="inline").verdict == "equal"

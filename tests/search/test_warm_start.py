"""Learning from earlier studies: what samplers are shown, what is tried first, and what no table ever holds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import TrialState

from storage import locate
from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted, trials_of
from tuner import studies
from tuner.cli.main import main
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.errors import UsageError
from tuner.records import Params
from tuner.search import warm_start
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import covers_space
from tuner.search.warm_start import FOREIGN, WarmStart
from tuner.study import load_study

SAME, OTHER = "0" * 64, "1" * 64  # fingerprints; run_scripted gives each study the first one
SPACE: dict[str, Any] = {
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64},
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.5, "log": True},
}


def weights(hyperparameters: Hyperparameters) -> int:
    """Count the weights of a model for 64 inputs and 10 classes."""
    return hyperparameters.weights(64, 10)


def recipe_of(trials: int = 14, sampler: str = "tpe", pruner: str = "none", **changes: Any) -> Recipe:
    """Return a search that has something to learn."""
    search = {"sampler": sampler, "pruner": pruner, "seed": changes.pop("seed", 1)}
    search["learn_from"] = changes.pop("learn_from", [])
    return small_recipe(**{"space": SPACE, "budget": {"trials": trials, "epochs": 3}, "search": search} | changes)


def lessons_of(
    home: Path, recipe: Recipe, fingerprint: str = SAME, *, name: str = "new", is_new: bool = True
) -> WarmStart:
    """Return what a study learns_from_trials, as a run of it does."""
    return WarmStart(warm_start.read_earlier(locate(home=home), name, recipe, is_new=is_new), fingerprint, weights)


def run_new(home: Path, recipe: Recipe, *, is_new: bool = True, **options: Any) -> None:
    """Run the study 'new' that learns from others."""
    foreign = lessons_of(home, recipe, is_new=is_new).foreign_trials(recipe)
    run_scripted(home, recipe, name="new", foreign=foreign, weights=weights, **options)


def params_of(home: Path, recipe: Recipe, name: str = "new") -> list[Params]:
    """Return what was tried."""
    return [trial.params for trial in trials_of(home, recipe, name)]


def test_foreign_trials_change_what_tpe_proposes(tmp_path: Path) -> None:
    """From its first trial on it tries what was good elsewhere; its tables, counts and best trial are its own."""
    run_scripted(tmp_path / "a", recipe_of(30), name="old")
    new = recipe_of(6, seed=2, learn_from=["old"])
    run_new(tmp_path / "a", new)
    run_scripted(tmp_path / "b", new, name="new")
    seeded, alone = (trials_of(tmp_path / part, new, "new") for part in "ab")

    def rate(trials: list[Any]) -> float:
        return sum(float(trial.params["learning_rate"]) for trial in trials) / len(trials)

    assert rate(seeded) < rate(alone) / 2  # a smaller learning rate is better
    assert [trial.number for trial in seeded] == list(range(6))
    summary = load_study("new", home=tmp_path / "a").summary()
    assert summary.counts.total == summary.counts.complete == 6
    assert summary.best is not None
    assert summary.best[0] in range(6)
    with studies.existing(locate(home=tmp_path / "a"), "new") as found:
        assert all(FOREIGN not in trial.user_attrs for trial in found.study.get_trials())


def test_samplers_see_foreign_trials_as_the_new_space_would_have_drawn_them(home: Path) -> None:
    """With a mark, numbers that nobody has, the new ranges, and of a pruned one its last value."""
    run_scripted(home, recipe_of(20, pruner="asha", sampler="random"), name="old")
    old = trials_of(home, recipe_of(), "old")
    wide = {**SPACE, "learning_rate": {"type": "float", "low": 0.001, "high": 0.9, "log": True}}
    new = recipe_of(space={**wide, "batch_norm": {"type": "choice", "choices": [True, False]}}, learn_from=["old"])
    foreign = lessons_of(home, new).foreign_trials(new)
    with studies.opened(locate(home=home)) as store:
        ask_tell = AskTell(studies.create_or_resume(store, "new", new, SAME).study, new, foreign=foreign)
        assert not covers_space(new, ask_tell._study, 0)
        asked = ask_tell.ask()
        seen = ask_tell._study.get_trials(deepcopy=False)
        own = seen[-1]

        assert asked is not None
        assert asked.number == own.number == 0
        assert len(ask_tell.state) == 1
        assert ask_tell.queue.counts().total == 1
        assert {trial.state for trial in ask_tell._study_for_pruner.get_trials()} == {TrialState.RUNNING}
    assert [trial.user_attrs[FOREIGN] for trial in foreign] == [f"old#{i}" for i in range(20)]
    assert [trial.number for trial in foreign] == list(range(-20, 0))
    assert {trial.state for trial in foreign} == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial, before in zip(foreign, old, strict=True):
        trial._validate()
        assert trial.params == {**before.params, "batch_norm": False}
        assert all(own.distributions[name] == trial.distributions[name] for name in own.params if name in trial.params)
        assert trial.value == (before.value if before.state == "complete" else None)
        assert set(trial.intermediate_values) == {before.epochs - 1}


def test_a_gaussian_process_finds_the_space_that_all_have_in_common(home: Path) -> None:
    """Optuna's search space of all trials passes over numbers below -1, where some have fewer layers."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    new = recipe_of(sampler="gp", learn_from=["old"])
    foreign = lessons_of(home, new).foreign_trials(new)
    with studies.opened(locate(home=home)) as store:
        ask_tell = AskTell(studies.create_or_resume(store, "new", new, SAME).study, new, foreign=foreign)
        space = IntersectionSearchSpace().calculate(ask_tell._study)

    assert {"units_1" in trial.params for trial in foreign} == {True, False}
    assert set(space) == {"layers", "learning_rate", "units_0"}
    assert {trial.number for trial in foreign} == {-1}
    assert len({trial._trial_id for trial in foreign}) == 14


def test_what_the_new_space_could_not_have_proposed_is_left_out(home: Path) -> None:
    """A value outside its range, another fixed value, a model that is too large."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    old = trials_of(home, recipe_of(), "old")

    def kept(**changes: Any) -> list[int]:
        new = recipe_of(learn_from=["old"], **changes)
        return [int(each.user_attrs[FOREIGN][4:]) for each in lessons_of(home, new).foreign_trials(new)]

    narrow = {**SPACE, "learning_rate": {"type": "float", "low": 0.1, "high": 0.5}}
    assert kept(space=narrow) == [each.number for each in old if float(each.params["learning_rate"]) >= 0.1]
    assert kept(space={**SPACE, "layers": 1}) == [each.number for each in old if each.params["layers"] == 1]
    assert kept(space={**SPACE, "dropout": 0.1}) == []
    assert kept(space={**SPACE, "momentum": 0.9}) == list(range(14))  # of sgd alone, and all have adam
    small = [each.number for each in old if weights(Hyperparameters.from_params(each.all_params)) <= 3000]
    assert kept(budget={"trials": 5, "epochs": 3, "max_parameters": 3000}) == small
    assert 0 < len(small) < 14


@pytest.mark.parametrize(
    ("fingerprint", "changes"),
    [
        (OTHER, {}),
        (SAME, {"objective": {"metric": "val_loss"}}),
        (SAME, {"validation": 0.3}),
        (SAME, {"split_seed": 5}),
        (SAME, {"sampler": "random"}),
    ],
)
def test_of_another_question_only_the_best_configurations_are_tried_first(
    home: Path, fingerprint: str, changes: dict[str, Any]
) -> None:
    """Five different ones that fit, after those of the recipe; a sampler that learns nothing takes them too."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    best = sorted(trials_of(home, recipe_of(), "old"), key=lambda trial: -(trial.value or 0))[:5]
    own = {"label": "mine", "params": {"layers": 1, "units_0": 8, "learning_rate": 0.3}}
    new = recipe_of(start=[own], learn_from=["old"], **changes)
    lessons = lessons_of(home, new, fingerprint)
    begun = lessons.with_start_configurations(new)

    assert lessons.foreign_trials(begun) == []
    assert [start.label for start in begun.start] == ["mine", *(f"best of old: trial {t.number}" for t in best)]
    assert [dict(start.params) for start in begun.start[1:]] == [dict(trial.params) for trial in best]
    assert lessons.with_start_configurations(begun) == begun
    assert (
        lessons_of(home, new).with_start_configurations(recipe_of(learn_from=["old"])).start == ()
    )  # its trials are shown instead


def test_what_was_tried_first_belongs_to_the_study(home: Path) -> None:
    """However the run is interrupted, and whatever became of the old study meanwhile."""
    run_scripted(home, recipe_of(8, sampler="random"), name="old")
    new = recipe_of(7, learn_from=["old"])
    begun = lessons_of(home, new, OTHER).with_start_configurations(new)
    recorder = Recorder()
    run_scripted(home, begun, name="new", recorder=recorder, stop=lambda: "interrupt" if recorder.ends else None)
    load_study("old", home=home).delete()
    before = studies.recipe_of(locate(home=home), "new")
    assert before is not None
    going_on = new.continuing(before)
    run_scripted(home, going_on, name="new")

    assert going_on.start == begun.start
    labels = [trial.label for trial in trials_of(home, going_on, "new")]
    assert labels == [*(start.label for start in begun.start), None, None]


def test_a_seeded_study_is_the_same_with_and_without_interruptions(tmp_path: Path) -> None:
    """A resumed run learns from the same trials."""
    new = recipe_of(7, seed=2, learn_from=["old"])
    for part in ("whole", "parts"):
        run_scripted(tmp_path / part, recipe_of(12), name="old")
    run_new(tmp_path / "whole", new)
    for after in (2, 2, 1):
        recorder = Recorder()
        run_new(
            tmp_path / "parts",
            new,
            recorder=recorder,
            stop=lambda: "interrupt" if len(recorder.ends) >= after else None,  # noqa: B023
        )
    run_new(tmp_path / "parts", new)

    assert params_of(tmp_path / "parts", new) == params_of(tmp_path / "whole", new)


def test_a_study_goes_on_without_one_that_is_gone(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line says so, and what it had learned from is still shown."""
    run_scripted(home, recipe_of(12), name="old")
    new = recipe_of(3, learn_from=["old"])
    lessons = lessons_of(home, new)
    run_new(home, new)
    with studies.existing(locate(home=home), "new") as found:
        lessons.write_origins(found.study, new, lessons.foreign_trials(new))
    load_study("old", home=home).delete()
    with caplog.at_level(logging.WARNING):
        gone = lessons_of(home, new, is_new=False)
    run_scripted(home, new.changed(budget={"trials": 5}), name="new", foreign=gone.foreign_trials(new))
    with studies.existing(locate(home=home), "new") as found:
        gone.write_origins(found.study, new, gone.foreign_trials(new))

    assert [record.message for record in caplog.records] == [
        "study 'old' is gone: 'new' goes on without learning from it"
    ]
    assert len(params_of(home, new)) == 5
    assert load_study("new", home=home).learned_from() == {"old": "12 trials seed the sampler"}


def test_an_unknown_study_is_refused_before_anything_is_written(home: Path) -> None:
    """With the nearest name; no study can learn from itself."""
    with pytest.raises(UsageError, match="there is no study 'old' to learn from"):
        lessons_of(home, recipe_of(learn_from=["old"]))
    assert not home.exists()
    run_scripted(home, recipe_of(2), name="older")
    with pytest.raises(UsageError) as caught:
        lessons_of(home, recipe_of(learn_from=["odler"]))
    assert caught.value.hint == "did you mean 'older'?"
    with pytest.raises(UsageError, match="study 'older' cannot learn from itself"):
        lessons_of(home, recipe_of(learn_from=["older"]), name="older")


def test_a_study_that_goes_on_learns_from_what_it_began_with() -> None:
    """Saying so again is fine, anything else is refused."""
    before = recipe_of(learn_from=["old"])
    warm_start.check_same("new", before, None)
    warm_start.check_same("new", before, ["old"])
    with pytest.raises(UsageError, match="study 'new' began with learning from old, not from older"):
        warm_start.check_same("new", before, ["older"])
    assert recipe_of().continuing(before).search.learn_from == ("old",)


def test_the_command_line_learns_and_says_so(home: Path) -> None:
    """From several studies, with real models; the dashboard's tables know the names too."""

    def tuner(*words: str) -> str:
        result = CliRunner().invoke(main, [*words, "--home", str(home)])
        assert result.exit_code == 0, result.output
        return result.output

    options = ("--epochs", "1", "--executor", "inline", "--device", "cpu", "--quiet", "--pruner", "none")
    space = ("--max-parameters", "20000", *options)
    tuner("study", "start", "digits", "--name", "old", "--trials", "2", *options)
    tuner("study", "start", "digits", "--name", "other", "--trials", "1", "--validation", "0.3", *options)
    tuner("study", "start", "digits", "--name", "new", "--trials", "1", "--from", "old,other", *space)
    tuner("study", "start", "digits", "--name", "new", "--trials", "2", *options)
    new = load_study("new", home=home)

    shown = tuner("study", "show", "new")
    assert "learned from" in shown
    assert new.learned_from()["other"] in {"its best 1 are tried first", "nothing of it fits"}
    assert new.learned_from()["old"].endswith(("seed the sampler", "seeds the sampler", "nothing of it fits"))
    assert new.recipe.search.learn_from == ("old", "other")
    assert new.recipe.budget.max_parameters == 20000
    done = [trial for trial in new.trials() if trial.state == "complete"]
    assert len(done) == 2
    assert all(each.parameters == weights(Hyperparameters.from_params(each.all_params)) for each in done)
    assert all(each.parameters is not None and each.parameters <= 20000 for each in done)

"""Warm start: which earlier trials seed the sampler, and which configurations are tried first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import TrialState
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted, trials_of
from tuner import studies
from tuner.cli.main import main
from tuner.config.hyperparameters import Hyperparameters, InputSize
from tuner.config.kept import continuing
from tuner.config.recipe import Recipe
from tuner.errors import UsageError
from tuner.records import Params
from tuner.search import warm_start
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import covers_space
from tuner.search.warm_start import FOREIGN, WarmStart
from tuner.study import load_study

pytestmark = pytest.mark.slow

SAME, OTHER = "0" * 64, "1" * 64  # fingerprints; run_scripted gives SAME to every study
SPACE: dict[str, Any] = {
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64},
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.5, "log": True},
}


def weights(hyperparameters: Hyperparameters) -> int:
    """Return the number of weights of a model with 64 inputs and 10 classes."""
    return hyperparameters.weights(InputSize(64), 10)


def recipe_of(trials: int = 14, sampler: str = "tpe", pruner: str = "none", **changes: Any) -> Recipe:
    """Return a search over layers, widths and learning rate; ``learn_from`` names earlier studies."""
    search = {"sampler": sampler, "pruner": pruner, "seed": changes.pop("seed", 1)}
    search["learn_from"] = changes.pop("learn_from", [])
    return small_recipe(**{"space": SPACE, "budget": {"trials": trials, "epochs": 3}, "search": search} | changes)


def warm_start_of(
    home: Path, recipe: Recipe, fingerprint: str = SAME, *, name: str = "new", is_new: bool = True
) -> WarmStart:
    """Return the warm start of a study, as a run of it creates it."""
    return WarmStart(warm_start.read_earlier(locate(home=home), name, recipe, is_new=is_new), fingerprint, weights)


def run_new(home: Path, recipe: Recipe, *, is_new: bool = True, **options: Any) -> None:
    """Run the study 'new', seeded by the trials of the studies that its recipe names."""
    foreign = warm_start_of(home, recipe, is_new=is_new).earlier_trials(recipe)
    run_scripted(home, recipe, name="new", foreign=foreign, weights=weights, **options)


def params_of(home: Path, recipe: Recipe, name: str = "new") -> list[Params]:
    """Return the parameters of every trial."""
    return [trial.params for trial in trials_of(home, recipe, name)]


def test_foreign_trials_seed_tpe(tmp_path: Path) -> None:
    """It proposes good configurations from the first trial on. Tables, counts and incumbent hold own trials only."""
    run_scripted(tmp_path / "a", recipe_of(30), name="old")
    new = recipe_of(6, seed=2, learn_from=["old"])
    run_new(tmp_path / "a", new)
    run_scripted(tmp_path / "b", new, name="new")
    seeded, alone = (trials_of(tmp_path / part, new, "new") for part in "ab")

    def mean_rate(trials: list[Any]) -> float:
        return sum(float(trial.params["learning_rate"]) for trial in trials) / len(trials)

    assert mean_rate(seeded) < mean_rate(alone) / 2  # a smaller learning rate is better
    assert [trial.number for trial in seeded] == list(range(6))
    summary = load_study("new", home=tmp_path / "a").summary()
    assert summary.counts.total == summary.counts.complete == 6
    assert summary.best is not None
    assert summary.best[0] in range(6)
    with studies.existing(locate(home=tmp_path / "a"), "new") as stored:
        assert all(FOREIGN not in trial.user_attrs for trial in stored.study.get_trials())


def test_foreign_trials_look_like_draws_of_the_new_space(home: Path) -> None:
    """They have a mark, negative numbers, the new ranges and, if pruned, the last value. Pruners do not see them."""
    run_scripted(home, recipe_of(20, pruner="asha", sampler="random"), name="old")
    old = trials_of(home, recipe_of(), "old")
    wide = {**SPACE, "learning_rate": {"type": "float", "low": 0.001, "high": 0.9, "log": True}}
    new = recipe_of(space={**wide, "batch_norm": {"type": "choice", "choices": [True, False]}}, learn_from=["old"])
    foreign = warm_start_of(home, new).earlier_trials(new)
    with studies.opened(locate(home=home)) as store:
        ask_tell = AskTell(studies.create_or_resume(store, "new", new, SAME).study, new, foreign=foreign)
        assert not covers_space(new, ask_tell._study, 0)
        spec = ask_tell.ask()
        own = ask_tell._study.get_trials(deepcopy=False)[-1]

        assert spec is not None
        assert spec.number == own.number == 0
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


def test_infeasible_trials_of_an_earlier_study_teach_as_the_study_s_own_do(home: Path) -> None:
    """Samplers see them as complete with the worst value."""
    space = SPACE | {"batch_size": {"type": "choice", "choices": [1, 64]}}  # the scripted trainer fails with 1
    start = [{"label": "next", "params": {"batch_size": size}} for size in (64, 1, 64)]
    run_scripted(home, recipe_of(3, space=space, start=start), name="old")
    new = recipe_of(4, space=space, learn_from=["old"])
    foreign = warm_start_of(home, new).earlier_trials(new)
    run_new(home, new)
    with studies.opened(locate(home=home)) as store:
        found = studies.find(store, "new")
        assert found is not None
        seen = AskTell(found.study, new, foreign=foreign)._study.get_trials(deepcopy=False)

    assert [trial.state for trial in foreign] == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert seen[1].state == TrialState.COMPLETE
    assert seen[1].value == min(trial.value for trial in seen if trial.value is not None)


def test_a_gaussian_process_gets_the_search_space_that_all_trials_share(home: Path) -> None:
    """Some trials have fewer layers. Optuna's common search space ignores numbers below -1, so all have -1."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    new = recipe_of(sampler="gp", learn_from=["old"])
    foreign = warm_start_of(home, new).earlier_trials(new)
    with studies.opened(locate(home=home)) as store:
        ask_tell = AskTell(studies.create_or_resume(store, "new", new, SAME).study, new, foreign=foreign)
        space = IntersectionSearchSpace().calculate(ask_tell._study)

    assert {"units_1" in trial.params for trial in foreign} == {True, False}
    assert set(space) == {"layers", "learning_rate", "units_0"}
    assert {trial.number for trial in foreign} == {-1}
    assert len({trial._trial_id for trial in foreign}) == 14


def test_trials_that_the_new_space_cannot_propose_are_left_out(home: Path) -> None:
    """They have a value outside its range, another fixed value, or a model that is too large."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    old = trials_of(home, recipe_of(), "old")

    def kept(**changes: Any) -> list[int]:
        new = recipe_of(learn_from=["old"], **changes)
        return [int(trial.user_attrs[FOREIGN][4:]) for trial in warm_start_of(home, new).earlier_trials(new)]

    narrow = {**SPACE, "learning_rate": {"type": "float", "low": 0.1, "high": 0.5}}
    assert kept(space=narrow) == [trial.number for trial in old if float(trial.params["learning_rate"]) >= 0.1]
    assert kept(space={**SPACE, "layers": 1}) == [trial.number for trial in old if trial.params["layers"] == 1]
    assert kept(space={**SPACE, "dropout": 0.1}) == []
    assert kept(space={**SPACE, "momentum": 0.9}) == list(range(14))  # all have adam, and only sgd has a momentum
    small = [trial.number for trial in old if weights(Hyperparameters.from_params(trial.all_params)) <= 3000]
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
def test_if_trials_cannot_seed_the_sampler_the_best_configurations_are_tried_first(
    home: Path, fingerprint: str, changes: dict[str, Any]
) -> None:
    """Other data, another objective or split, or a sampler that does not learn: five follow those of the recipe."""
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    best = sorted(trials_of(home, recipe_of(), "old"), key=lambda trial: -(trial.value or 0))[:5]
    own = {"label": "mine", "params": {"layers": 1, "units_0": 8, "learning_rate": 0.3}}
    new = recipe_of(start=[own], learn_from=["old"], **changes)
    warm = warm_start_of(home, new, fingerprint)
    extended = warm.with_start_configurations(new)

    assert warm.earlier_trials(extended) == []
    assert [start.label for start in extended.start] == ["mine", *(f"best of old: trial {t.number}" for t in best)]
    assert [dict(start.params) for start in extended.start[1:]] == [dict(trial.params) for trial in best]
    assert warm.with_start_configurations(extended) == extended


def test_trials_that_seed_the_sampler_are_no_start_configurations(home: Path) -> None:
    run_scripted(home, recipe_of(14, sampler="random"), name="old")
    new = recipe_of(learn_from=["old"])

    assert warm_start_of(home, new).with_start_configurations(new).start == ()
    assert len(warm_start_of(home, new).earlier_trials(new)) == 14


def test_further_start_configurations_belong_to_the_study(home: Path) -> None:
    """They stay if the run is interrupted and the old study is deleted."""
    run_scripted(home, recipe_of(8, sampler="random"), name="old")
    new = recipe_of(7, learn_from=["old"])
    extended = warm_start_of(home, new, OTHER).with_start_configurations(new)
    recorder = Recorder()
    run_scripted(home, extended, name="new", recorder=recorder, stop=lambda: "interrupt" if recorder.ends else None)
    load_study("old", home=home).delete()
    before = studies.recipe_of(locate(home=home), "new")
    assert before is not None
    continued = continuing(new, before, {}).recipe
    run_scripted(home, continued, name="new")

    assert continued.start == extended.start
    labels = [trial.label for trial in trials_of(home, continued, "new")]
    assert labels == [*(start.label for start in extended.start), None, None]


def test_a_seeded_study_is_the_same_with_and_without_interruptions(tmp_path: Path) -> None:
    """Every run is seeded by the same trials."""
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


def test_a_study_continues_without_a_deleted_earlier_study(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning says so. The study still shows what it learned from."""
    run_scripted(home, recipe_of(12), name="old")
    new = recipe_of(3, learn_from=["old"])
    warm = warm_start_of(home, new)
    run_new(home, new)
    with studies.existing(locate(home=home), "new") as stored:
        warm.write_origins(stored.study, new, warm.earlier_trials(new))
    load_study("old", home=home).delete()
    with caplog.at_level(logging.WARNING):
        without = warm_start_of(home, new, is_new=False)
    run_scripted(home, new.changed(budget={"trials": 5}), name="new", foreign=without.earlier_trials(new))
    with studies.existing(locate(home=home), "new") as stored:
        without.write_origins(stored.study, new, without.earlier_trials(new))

    assert [record.message for record in caplog.records] == [
        "study 'old' is gone: 'new' goes on without learning from it"
    ]
    assert len(params_of(home, new)) == 5
    assert load_study("new", home=home).learned_from() == {"old": "12 trials seed the sampler"}


def test_an_unknown_study_is_refused_before_anything_is_written(home: Path) -> None:
    """The hint is the nearest name. A study cannot learn from itself either."""
    with pytest.raises(UsageError, match="there is no study 'old' to learn from"):
        warm_start_of(home, recipe_of(learn_from=["old"]))
    assert not home.exists()
    run_scripted(home, recipe_of(2), name="older")
    with pytest.raises(UsageError) as caught:
        warm_start_of(home, recipe_of(learn_from=["odler"]))
    assert caught.value.hint == "did you mean 'older'?"
    with pytest.raises(UsageError, match="study 'older' cannot learn from itself"):
        warm_start_of(home, recipe_of(learn_from=["older"]), name="older")


def test_a_study_keeps_the_earlier_studies_that_it_began_with() -> None:
    """They need not be named again."""
    before = recipe_of(learn_from=["old"])

    assert continuing(recipe_of(), before, {}).recipe.search.learn_from == ("old",)


def test_the_command_line_learns_from_several_studies_and_shows_them(home: Path) -> None:
    """With real models. The settings of the first run stay for the second one."""

    def tuner(*arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, "--home", str(home)])
        assert result.exit_code == 0, result.output
        return result.output

    options = ("--epochs", "1", "--executor", "inline", "--device", "cpu", "--quiet", "--pruner", "none")
    space = ("--max-parameters", "20000", *options)
    tuner("study", "start", "digits", "--name", "old", "--trials", "2", *options)
    tuner("study", "start", "digits", "--name", "other", "--trials", "1", "--validation", "0.3", *options)
    tuner("study", "start", "digits", "--name", "new", "--trials", "1", "--from", "old,other", *space)
    tuner("study", "start", "digits", "--name", "new", "--trials", "2", *options)
    new = load_study("new", home=home)

    assert "learned from" in tuner("study", "show", "new")
    assert new.learned_from()["other"] in {"its best configuration is tried first", "nothing of it fits"}
    assert new.learned_from()["old"].endswith(("seed the sampler", "seeds the sampler", "nothing of it fits"))
    assert new.recipe.search.learn_from == ("old", "other")
    assert new.recipe.budget.max_parameters == 20000
    complete = [trial for trial in new.trials() if trial.state == "complete"]
    assert len(complete) == 2
    for trial in complete:
        assert trial.parameters == weights(Hyperparameters.from_params(trial.all_params)) <= 20000

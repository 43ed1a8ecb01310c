"""The paragraph about a study: every sentence follows from the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.report.confirmation import describe_winner
from tuner.report.paragraph import describe_study
from tuner.results.best_regions import Counted, Interval, Region
from tuner.results.best_regions import regions as best_regions
from tuner.results.importance import Importances
from tuner.results.trials import TrialResult
from tuner.search.confirmation import standings

NOTHING = Importances({}, {}, missing="it takes more trials")
TRIAL = TrialResult(
    number=0,
    state="complete",
    value=0.9,
    params={"learning_rate": 0.01},
    all_params={"learning_rate": 0.01, "schedule": "constant"},
    metrics={},
    best_epoch=1,
    epochs=4,
    seconds=1.0,
    parameters=10,
    label=None,
    reason=None,
    kept=False,
    test=None,
)
RATE = Interval("learning_rate", 0.1, 0.2, (0.001, 0.5), log=False, trials=3, top=3)
HIGH = replace(RATE, name="dropout", low=0.4, high=0.5, searched=(0.0, 0.5), end="upper")


def valued(*values: float | None, **changes: Any) -> list[TrialResult]:
    """Return complete trials; those without a value are pruned."""
    return [
        replace(TRIAL, number=i, value=value, state="pruned" if value is None else "complete", **changes)
        for i, value in enumerate(values)
    ]


def recipe_for(trials: int, **budget: Any) -> Recipe:
    return small_recipe(budget={"trials": trials, "epochs": 4, **budget})


def read(
    trials: Sequence[TrialResult],
    recipe: Recipe | None = None,
    importances: Importances = NOTHING,
    regions: Sequence[Region] = (),
) -> str:
    return describe_study("small", recipe or recipe_for(len(trials) or 6), trials, importances, regions)


def test_the_paragraph_goes_from_the_counts_to_the_next_step() -> None:
    """The whole paragraph."""
    values = [0.9, 0.93, 0.95, 0.92, 0.91, 0.94, *[None] * 5]
    trials = [*valued(*values), replace(TRIAL, number=11, state="failed", value=None, reason="out of memory")]
    importances = Importances({"learning_rate": 0.7, "dropout": 0.2, "layers": 0.1}, {"dropout": 1.0})

    assert read(trials, importances=importances, regions=[HIGH, RATE]) == (
        "Of 12 trials, 6 are complete, 5 pruned and 1 failed (out of memory). "
        "The best is trial 2 with a val_accuracy of 0.9500, 0.0100 better than trial 5 and 0.0250 better than the "
        "median. "
        "The most important parameter is learning_rate (70 %). This is a rough estimate from 11 trials. "
        "The best 3 trials have learning_rate from 0.1 to 0.2 and reach the upper end of dropout (0.5). "
        "The 9 trials after trial 2 brought no improvement. "
        "Next, try a new study with a wider range of dropout."
    )


WAITING = [replace(TRIAL, state="running", value=None), replace(TRIAL, number=1, state="waiting", value=None)]
BROKEN = [replace(TRIAL, number=i, state="failed", value=None, reason="out of memory\nat line 3") for i in range(3)]


@pytest.mark.parametrize(
    ("trials", "counts", "advice"),
    [
        ([], "There is no trial yet.", "continue until a trial is complete: `tuner study start small`."),
        (
            WAITING,
            "Of 2 trials, 1 is running and 1 waiting.",
            "continue until a trial is complete: `tuner study start small`.",
        ),
        (
            valued(0.9),
            "Its only trial is complete. Trial 0 reached a val_accuracy of 0.9000.",
            "try more trials: `tuner study start small --trials 2`.",
        ),
        (
            valued(None, None),
            "All 2 trials are pruned.",
            "let trials run to their end: `tuner study start small --pruner none --trials 4`.",
        ),
        (
            BROKEN,
            "All 3 trials failed (out of memory).",
            "look at what went wrong: `tuner study trials small --attempts`.",
        ),
    ],
)
def test_studies_with_few_trials_are_described_too(trials: list[TrialResult], counts: str, advice: str) -> None:
    """One trial, no trial, only pruned trials, or only failed ones."""
    assert read(trials).startswith(f"{counts} Next, {advice}")


def test_an_unknown_state_is_counted_under_its_name() -> None:
    """A new kind of trial needs no change here."""
    odd = [replace(TRIAL, number=i, state="paused", value=0.5) for i in (1, 2)]

    assert read([TRIAL, *odd]).startswith("Of 3 trials, 1 is complete and 2 paused. Trial 0 reached")


def test_the_most_frequent_reason_stands_for_the_others() -> None:
    """There may be hundreds of failed trials."""
    failed = [replace(TRIAL, number=i, state="failed", value=None, reason=f"reason {min(i, 2)}") for i in range(5)]

    assert "Of 6 trials, 1 is complete and 5 failed (mostly: reason 2)." in read([*failed, replace(TRIAL, number=5)])
    assert "Of 7 trials, 5 failed (mostly: reason 2), 1 is running and 1 waiting." in read([*failed, *WAITING])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.9, 0.8), "The best is trial 0 with a val_accuracy of 0.9000, 0.1000 better than trial 1."),
        ((0.8, 0.9, 0.9), "The best is trial 1 with a val_accuracy of 0.9000, as good as trial 2."),
        ((0.9, 0.9, 0.9, 0.1), "The best is trial 0 with a val_accuracy of 0.9000, as good as 2 others."),
        ((0.9, 0.9), "All complete trials have the same val_accuracy of 0.9000."),
        ((0.9, 0.89999, 0.5), "0.9000, 1e-05 better than trial 1 and 1e-05 better than the median."),
    ],
)
def test_how_far_the_best_trial_is_ahead(values: tuple[float, ...], text: str) -> None:
    """Ahead of the second trial and of the median. A small difference is never shown as zero."""
    assert text in read(valued(*values))


def test_lower_losses_are_better() -> None:
    """The lead is a positive number, whatever the direction."""
    recipe = small_recipe(objective={"metric": "val_loss"}, budget={"trials": 3, "epochs": 4})

    assert "trial 1 with a val_loss of 0.2000, 0.1000 better than trial 2 and" in read(valued(0.7, 0.2, 0.3), recipe)


def test_importances_are_no_rough_estimate_from_twenty_trials_on() -> None:
    """Then fANOVA is mentioned too, if it ranks another parameter first."""
    importances = Importances({"a": 0.6, "b": 0.3, "c": 0.1}, {"b": 0.8, "a": 0.1, "c": 0.1})
    flat = Importances({"a": 0.4, "b": 0.3, "c": 0.3}, {"a": 0.3, "b": 0.3, "c": 0.4})
    many, few = valued(*[i / 100 for i in range(20)]), valued(*[i / 100 for i in range(10)])

    assert (
        "The most important parameter is a (60 %); over the whole range, b has the largest effect (80 % by fANOVA). The"
    ) in read(many, importances=importances)
    assert ("The most important parameter is a (60 %). This is a rough estimate from 10 trials. ") in read(
        few, importances=importances
    )
    assert "No parameter is much more important than the others. The" in read(many, importances=flat)
    assert "important" not in read(many, importances=Importances({"a": 1.0}, {"a": 1.0}))


def test_only_where_the_best_trials_agree_is_named() -> None:
    """A wide interval is left out, and so is a parameter that some of the best trials lack."""
    optimizer = Counted("optimizer", (("adam", 3),), ("adam", "sgd"), trials=3, top=3)
    wide = replace(RATE, name="wide", high=0.4)
    rare = replace(HIGH, name="rare", trials=2)
    layers = replace(RATE, name="layers", low=1, high=1, searched=(0, 2))
    trials = valued(0.9, 0.8)

    assert "The best 3 trials have optimizer adam and layers 1." in read(
        trials, regions=[optimizer, wide, rare, layers]
    )
    assert "The best 3 trials reach the upper end of dropout (0.5)." in read(trials, regions=[HIGH])
    assert "The best" not in read(trials, regions=[wide, rare]).split(".", 2)[2]


def test_whether_the_study_still_improved() -> None:
    """If the best trial is among the last fifth, it was. With fewer than ten trials, nothing is said."""
    rising = valued(*[i / 100 for i in range(20)])

    assert "The study was still improving (its best trial is the last of 20)." in read(rising)
    assert "--trials 40`." in read(rising)
    assert "(its best trial is among the last 3 of 20)" in read([*rising[:18], *valued(*[0.0] * 20)[18:]])
    assert "The 19 trials after trial 0 brought no improvement." in read(valued(0.9, *[0.5] * 19))
    assert read(valued(0.9, *[0.5] * 19)).endswith("Next, use the best model: `tuner export small -o model/`.")
    assert "improving" not in read(rising[:9])


def test_whether_the_best_trials_still_improved() -> None:
    """Then more epochs may help. Trials with a cosine schedule, or that stopped earlier, do not count."""
    last = valued(0.9, 0.8, 0.7, 0.6, best_epoch=3)
    cosine = valued(0.9, 0.8, 0.7, best_epoch=3, all_params={"schedule": "cosine"})

    assert read(last).endswith(
        "All of the best 3 trials had the best value in the last of 4 epochs. "
        "Next, try a new study with more than 4 epochs."
    )
    assert "Trial 0 had the best value in the last of 4 epochs." in read(last[:1])
    assert "2 of the best 3 trials had the best value in the last of 4 epochs." in read(
        [*last[:2], replace(TRIAL, number=2)]
    )
    assert "epochs" not in read(cosine)
    assert "epochs" not in read(valued(0.9, 0.8, 0.7, best_epoch=2, epochs=3))


def test_an_end_that_is_the_limit_is_no_advice() -> None:
    """A dropout below 0 is not possible."""
    limit = replace(HIGH, end="lower", limit=True)

    assert "wider" not in read(valued(0.9, 0.8), regions=[limit])
    assert "The best 3 trials have dropout from 0.4 to 0.5." in read(valued(0.9, 0.8), regions=[limit])


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (recipe_for(5), "3 trials are left. Next, continue: `tuner study start small`."),
        (recipe_for(3), "1 trial is left. Next, continue: `tuner study start small`."),
        (
            recipe_for(5, target=0.85),
            "The target is reached. Next, use the best model: `tuner export small -o model/`.",
        ),
        (recipe_for(5, plateau=1), "Next, use the best model: `tuner export small -o model/`."),
        (recipe_for(2), "Next, try more trials: `tuner study start small --trials 4`."),
    ],
)
def test_what_to_do_next_follows_from_the_budget(recipe: Recipe, text: str) -> None:
    """If a study has reached its target or its plateau, the advice is not to continue."""
    assert read(valued(0.9, 0.8), recipe).endswith(text)


def test_a_running_study_needs_nothing() -> None:
    """No command is recommended."""
    running = replace(TRIAL, number=1, state="running", value=None)

    assert read([TRIAL, running], recipe_for(4)).endswith("3 trials are left.")


def test_if_most_trials_failed_the_advice_is_to_look_at_them() -> None:
    """Even if one trial is complete."""
    failed = [replace(TRIAL, number=i, state="failed", value=None) for i in (1, 2)]

    assert read([TRIAL, *failed]).endswith("Next, look at what went wrong: `tuner study trials small --attempts`.")


STATES = st.sampled_from(["complete", "complete", "pruned", "failed", "running", "waiting", "paused"])
VALUES = st.none() | st.sampled_from([0.5, 0.9]) | st.floats(allow_nan=True)
DRAWN = st.builds(
    lambda state, value, rate, best_epoch, reason: replace(
        TRIAL, state=state, value=value, params={"learning_rate": rate}, best_epoch=best_epoch, reason=reason
    ),
    STATES,
    VALUES,
    st.floats(0.001, 0.5),
    st.none() | st.integers(0, 3),
    st.none() | st.just("out of memory"),
)


@given(st.lists(DRAWN, max_size=30), st.sampled_from(["val_accuracy", "val_loss"]), st.integers(1, 40))
def test_any_trials_give_a_well_formed_paragraph(drawn: list[TrialResult], metric: str, budget: int) -> None:
    """Two to six sentences without missing or infinite values."""
    trials = [replace(trial, number=i) for i, trial in enumerate(drawn)]
    recipe = small_recipe(objective={"metric": metric}, budget={"trials": budget, "epochs": 4})
    text = read(trials, recipe, regions=best_regions(trials, recipe))

    assert not {"None", "nan", "inf", "-inf"} & set(text.replace(",", " ").replace(".", " ").split())
    assert 2 <= text.count(". ") + 1 <= 6
    assert text.endswith((".", "`."))
    assert "  " not in text


def test_the_winner_with_further_seeds_is_named() -> None:
    """It need not be the trial with the highest value."""
    ranking = standings({0: 0.9, 1: 0.95, 2: 0.91, 3: 0.93, 4: 0.94, 5: 0.90}, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True)

    sentence = "With 2 further seeds, trial 0 has the best mean, 0.9200 ± 0.0158: it is the winner."
    assert (describe_winner(ranking[:1]), describe_winner([])) == (sentence, "")

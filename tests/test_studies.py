"""A study is created once, resumed only with the same search and data, and opened by its exact name."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from tuner_storage import Store, locate

from tests.recipes import small_recipe
from tuner import studies
from tuner.errors import DataError, RecipeError, UsageError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "a study's name must not be empty"),
        (" \t", "a study's name must not be empty"),
        ("two\nlines", r"a study's name must be one line of printable text, got 'two\nlines'"),
        ("two\rlines", r"a study's name must be one line of printable text, got 'two\rlines'"),
        ("nul\0", r"a study's name must be one line of printable text, got 'nul\x00'"),
        ("a\x1b[2J", r"a study's name must be one line of printable text, got 'a\x1b[2J'"),
        ("x" * 201, "a study's name has at most 200 characters, got 201"),
        ("\udcff", r"a study's name must be one line of printable text, got '\xff'"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    """Exit code 2 and a hint. The rule is the same for every database (fault 36)."""
    with pytest.raises(UsageError) as caught:
        studies.check_name(name)

    assert str(caught.value) == message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_opening_a_study_creates_no_database(home: Path) -> None:
    """Exit code 2. The hint says how to start a study."""
    with (
        pytest.raises(UsageError, match="there is no study 'digits'") as caught,
        studies.existing(locate(home=home), "digits"),
    ):
        pass

    assert caught.value.exit_code == 2
    assert "tuner study start" in str(caught.value.hint)
    assert not home.exists()


def test_an_unknown_study_gets_the_nearest(store: Store, home: Path) -> None:
    """The hint is the most similar name (fault 37)."""
    studies.create_or_resume(store, "digits", small_recipe(), "0" * 64)

    with (
        pytest.raises(UsageError, match="there is no study 'digtis'") as caught,
        studies.existing(locate(home=home), "digtis"),
    ):
        pass

    assert caught.value.hint == "did you mean 'digits'?"


def test_a_study_is_created_once_and_then_resumed(store: Store) -> None:
    """Another budget and sampler do not make it another search. Its record contains the versions."""
    first = studies.create_or_resume(store, "digits", small_recipe(), "0" * 64)
    larger = small_recipe(budget={"trials": 60}, search={"sampler": "tpe"})
    again = studies.create_or_resume(store, "digits", larger, "0" * 64)

    assert again.record == first.record
    assert again.recipe == small_recipe()
    assert {"python", "tuner", "keras", "tensorflow", "optuna"} <= set(again.record.environment)


def test_whether_a_study_is_gone_is_asked_until_the_database_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run asks it beside the calls that write. A restart of the server at that moment ended the run."""
    stored = studies.create_or_resume(store, "small", small_recipe(), "0" * 64)
    away = OperationalError("", None, sqlite3.OperationalError("database is locked"))
    answers = iter([away, None])

    def find(_study: int) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr(store, "find_study", find)
    monkeypatch.setattr(store.database.retry, "max_wait", 10.0)

    assert stored.is_gone


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("validation", 0.3),
        ("split_seed", 5),
        ("objective", {"metric": "val_loss"}),
        ("space", {"learning_rate": {"type": "float", "low": 0.001, "high": 0.4}, "layers": 1, "units": 8}),
    ],
)
def test_a_study_is_not_resumed_with_another_search(store: Store, part: str, value: Any) -> None:
    """Old and new trials could not be compared."""
    studies.create_or_resume(store, "digits", small_recipe(), "0" * 64)

    with pytest.raises(RecipeError, match=f"the {part} of 'digits' changed since the study began: "):
        studies.create_or_resume(store, "digits", small_recipe(**{part: value}), "0" * 64)


def test_changed_rows_are_refused(store: Store) -> None:
    """The data set must have the same rows, not only the same name."""
    studies.create_or_resume(store, "digits", small_recipe(), "0" * 64)

    with pytest.raises(DataError, match="the rows of 'digits' changed since study 'digits' began"):
        studies.create_or_resume(store, "digits", small_recipe(), "1" * 64)

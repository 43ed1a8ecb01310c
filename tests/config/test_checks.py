"""Values that pydantic would convert, ranges that no step meets, conditions that never hold, and fixed values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.test_recipe_faults import refused
from tuner.config.recipe import Recipe, parse_recipe
from tuner.config.recipe_files import load_recipe

WIDTHS = 'units = { type = "int", low = 8, high = 64 }'
OPTIMIZERS = 'optimizer = { type = "choice", choices = ["adam", "sgd"] }'
SCHEDULE_OF_ADAM = 'schedule = { type = "choice", choices = ["cosine"], when = { optimizer = "adam" } }'


def momentum(condition: str) -> str:
    """Return a dimension that exists only under a condition."""
    return f'momentum = {{ type = "float", low = 0.1, high = 0.9, when = {{ {condition} }} }}'


def loaded(folder: Path, space: str, start: str | None = None) -> Recipe:
    """Load a recipe with this space and perhaps a start configuration."""
    file = folder / "my.toml"
    starts = "" if start is None else f"[[start]]\nlabel = 'mine'\nparams = {{ {start} }}\n"
    file.write_text(f'data = "digits"\n[space]\n{space}\n{starts}')
    return load_recipe(file)


@pytest.mark.parametrize(
    ("space", "start", "drawn"),
    [
        (f"layers = 2\n{WIDTHS}", "units = [64, 32]", {"units_0": 64, "units_1": 32}),
        (f"layers = 2\n{WIDTHS}", "layers = 2, units = 16", {"units_0": 16, "units_1": 16}),
        (f"layers = 1\nlearning_rate = 0.01\n{WIDTHS}", "learning_rate = 0.01, units_0 = 9", {"units_0": 9}),
        ("units = [64, 32]\n" + OPTIMIZERS, 'units = [64, 32], optimizer = "sgd"', {"optimizer": "sgd"}),
        ("units = 64\n" + OPTIMIZERS, "units = [64, 64]", {}),
        (WIDTHS, 'optimizer = "adam"', {}),
    ],
)
def test_a_fixed_value_or_a_default_in_a_start_configuration_equals_itself(
    tmp_path: Path, space: str, start: str, drawn: dict[str, object]
) -> None:
    """The trial then starts with the searched values alone. One width stands for all layers."""
    assert loaded(tmp_path, space, start).start_params(0) == drawn


def test_another_value_than_the_fixed_one_is_refused(tmp_path: Path) -> None:
    """The start configuration could not be trained as written."""
    start = "[[start]]\nlabel = 'mine'\nparams = { learning_rate = 0.02 }"
    error = refused(tmp_path, f"[space]\nlearning_rate = 0.01\n{WIDTHS}\n{start}")

    assert "start 'mine': learning_rate = 0.02 is not in [space]" in str(error)


@pytest.mark.parametrize(
    ("others", "condition", "hint"),
    [
        (OPTIMIZERS, 'optimizer = "rmsprop"', "'optimizer' is never \"rmsprop\" in [space]"),
        (WIDTHS, "units = 128", "'units' is drawn once for each layer, so no condition can name it"),
        ("layers = 1", 'optimizer = "sgd"', "'optimizer' is not in [space]; its default is \"adam\""),
        ('optimizer = "adam"', 'optimizer = ["sgd"]', "'optimizer' is fixed to \"adam\""),
        (
            f"{OPTIMIZERS}\n{SCHEDULE_OF_ADAM}",
            'optimizer = "sgd", schedule = "cosine"',
            "its conditions, and those of the parameters that they name, exclude each other",
        ),
    ],
)
def test_a_condition_that_can_never_hold_is_refused_with_the_reason(
    tmp_path: Path, others: str, condition: str, hint: str
) -> None:
    """The parameter would never be searched, without a word."""
    error = refused(tmp_path, f"[space]\n{others}\n{momentum(condition)}")

    assert "'momentum' in [space] never exists: when = {" in str(error)
    assert error.hint == hint


def test_a_start_configuration_sets_no_parameter_that_does_not_exist_with_it(tmp_path: Path) -> None:
    """The value would be ignored."""
    start = "[[start]]\nlabel = 'mine'\nparams = { momentum = 0.5, optimizer = %s }"
    of_sgd = momentum('optimizer = "sgd"')
    space = f"{OPTIMIZERS}\n{of_sgd}"
    error = refused(tmp_path, f"[space]\n{space}\n" + start % '"adam"')

    assert "start 'mine' sets 'momentum', which exists only when = { optimizer = \"sgd\" }" in str(error)
    assert loaded(tmp_path, space, 'momentum = 0.5, optimizer = "sgd"').start
    assert loaded(tmp_path, space, "momentum = 0.5").start  # the optimizer is drawn


@pytest.mark.parametrize(
    "condition",
    ['optimizer = "sgd", schedule = "constant"', 'optimizer = ["rmsprop", "sgd"]', "layers = 2", "layers = [0, 9]"],
)
def test_a_condition_that_can_hold_is_accepted(tmp_path: Path, condition: str) -> None:
    """Also by the default of a parameter that is not always drawn, or by one value of several."""
    layers = 'layers = { type = "int", low = 0, high = 3 }'
    recipe = loaded(tmp_path, f"{OPTIMIZERS}\n{SCHEDULE_OF_ADAM}\n{layers}\n{momentum(condition)}")

    assert "momentum" in recipe.search_space.names()


@pytest.mark.parametrize(
    ("entry", "last"),
    [
        ('units = { type = "int", low = 16, high = 250, step = 32 }', "240"),
        ('dropout = { type = "float", low = 0.0, high = 0.5, step = 0.2 }', "0.4"),
    ],
)
def test_a_step_that_does_not_meet_the_high_end_is_refused(tmp_path: Path, entry: str, last: str) -> None:
    """Else reports would speak of a value that no trial can have."""
    error = refused(tmp_path, f"[space]\n{entry}")

    assert f"the last value is {last}" in str(error)
    assert error.hint == f"write high = {last}, or another step"


@pytest.mark.parametrize(
    "text",
    [
        "[space]\nunits = true",
        '[space]\nunits = "64"',
        '[space]\nunits = ["64", 32]',
        '[space]\nunits = { type = "int", low = true, high = 64 }',
        '[space]\nunits = { type = "int", low = "8", high = 64 }',
        '[space]\nunits = { type = "choice", choices = [64, "128"] }',
        '[space]\nbatch_norm = "true"',
        "[space]\nbatch_norm = 1",
        '[space]\nbatch_norm = { type = "choice", choices = ["true", "false"] }',
        '[space]\nmomentum = { type = "float", low = 0.1, high = 0.9, when = { batch_norm = "true" } }',
        f"[space]\nlayers = 1\n{WIDTHS.replace('8', '1')}\n[[start]]\nlabel = 'mine'\nparams = {{ units = [true] }}",
        "[space]\nlayers = 1\nunits = { type = 'choice', choices = [64, 64.0] }",
        "[budget]\ntrials = true",
        '[budget]\nepochs = "12"',
        "[budget]\ntimeout = true",
        '[winner]\nrefit = "yes"',
        "validation = true",
    ],
)
def test_text_and_truth_values_are_no_numbers_and_the_other_way_round(tmp_path: Path, text: str) -> None:
    """Pydantic would convert them: `units = true` would mean one unit."""
    assert " must " in str(refused(tmp_path, text))


def test_a_study_that_began_with_such_a_mistake_can_still_be_read() -> None:
    """Its snapshot is data that exists. Its reports name the last value that can be drawn."""
    space = {"units": {"type": "int", "low": 16, "high": 250, "step": 32}, "layers": "1"}
    recipe = parse_recipe({"name": "old", "data": "digits", "space": space}, "a snapshot")

    assert recipe.search_space.dimensions["units"].ends() == (16, 240)

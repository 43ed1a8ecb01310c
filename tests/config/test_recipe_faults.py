"""A mistake in a recipe file is an error before any trial: exit code 2, and one line with file, key and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.config.recipe_files import load_recipe
from tuner.errors import RecipeError

GOOD = """
data = "digits"
[space]
learning_rate = { type = "float", low = 0.001, high = 0.1, log = true }
"""


def refused(folder: Path, text: str) -> RecipeError:
    """Load ``text`` as ``my.toml`` and return the error. Tables of ``text`` replace those of ``GOOD``."""
    head = "" if "data" in text.partition("[")[0] else 'data = "digits"\n'
    space = "" if "[space]" in text or "space =" in text else GOOD.partition("\n[space]")[2]
    path = folder / "my.toml"
    path.write_text(head + text + (f"\n[space]{space}" if space else ""), encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path))
    assert caught.value.exit_code == 2
    assert "my.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_file_without_faults_is_valid(tmp_path: Path) -> None:
    """If it were not, the other tests would prove nothing."""
    path = tmp_path / "my.toml"
    path.write_text(GOOD, encoding="utf-8")

    assert load_recipe(str(path)).data == "digits"


@pytest.mark.parametrize(
    ("text", "key", "value", "nearest"),
    [
        ('[space]\noptimizer = "adm"', "optimizer", "'adm'", "adam"),
        ('[space]\noptimizer = { type = "choice", choices = ["sgd", "rmspop"] }', "optimizer", "'rmspop'", "rmsprop"),
        ('[space]\nactivation = "rleu"', "activation", "'rleu'", "relu"),
        ('[space]\nactivation = { type = "choice", choices = ["tahn"] }', "activation", "'tahn'", "tanh"),
        ('[search]\nsampler = "rnadom"', "search.sampler", "'rnadom'", "random"),
        ('[search]\npruner = "hyperbnad"', "search.pruner", "'hyperbnad'", "hyperband"),
        ('[objective]\nmetric = "val_acuracy"', "objective.metric", "'val_acuracy'", "val_accuracy"),
        ('[space]\nschedule = "cosin"', "schedule", "'cosin'", "cosine"),
        ('[space]\ndropout = { type = "flaot", low = 0, high = 1 }', "dropout", "'flaot'", "float"),
    ],
)
def test_an_unknown_name_gets_the_nearest(tmp_path: Path, text: str, key: str, value: str, nearest: str) -> None:
    """This holds for optimizers, activations, samplers, pruners and all other lists of values (fault 27)."""
    error = refused(tmp_path, text)

    assert key in str(error)
    assert value in str(error)
    assert error.hint == f"did you mean '{nearest}'?"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate = 0", "learning_rate: must be greater than 0, got 0"),
        ("learning_rate = -0.1", "learning_rate: must be greater than 0, got -0.1"),
        ("learning_rate = nan", "learning_rate: must be a finite number, got nan"),
        (
            'learning_rate = { type = "float", low = 0.0, high = 0.1 }',
            "learning_rate: must be greater than 0, got 0.0",
        ),
        (
            'learning_rate = { type = "choice", choices = [0.1, 0.0] }',
            "learning_rate: must be greater than 0, got 0.0",
        ),
        (
            'learning_rate = { type = "float", low = 0.1, high = 0.01 }',
            "learning_rate: low <= high must hold, got low=0.1, high=0.01",
        ),
        ('units = { type = "int", low = 9, high = 8 }', "units: low <= high must hold, got low=9, high=8"),
        (
            'learning_rate = { type = "float", low = 0, high = 0.1, log = true }',
            "learning_rate: the low end of a log range must be above 0, got low=0.0",
        ),
        (
            'units = { type = "int", low = 0, high = 8, log = true }',
            "units: the low end of a log range must be above 0, got low=0",
        ),
        ('optimizer = { type = "choice", choices = [] }', "optimizer.choices: must not be empty, got []"),
        (
            'optimizer = { type = "choice", choices = ["sgd", "sgd"] }',
            "optimizer: choices must differ, got ['sgd', 'sgd']",
        ),
        ('dropout = { type = "float", low = 0, high = 1 }', "dropout: must be less than 1, got 1.0"),
        ('dropout = { type = "float", low = 0, high = 0.5, step = 0 }', "dropout.step: must be greater than 0, got 0"),
        (
            'learning_rate = { type = "float", low = 0.1, high = 0.5, step = 0.1, log = true }',
            "learning_rate: log and step cannot be combined, got step=0.1",
        ),
        ('dropout = { type = "float", low = 0 }', "dropout.high is missing"),
        ('dropout = { type = "float", low = "small", high = 1 }', "dropout.low: must be a number, got 'small'"),
        ("dropout = { low = 0, high = 0.5 }", "'dropout' in [space] has no type"),
        ("dropout = [0.1, 0.2]", "dropout: must be a valid number, got [0.1, 0.2]"),
        ("units = 0", "units: must be greater than or equal to 1, got 0"),
        ("units = [64, 0]", "units.1: must be greater than or equal to 1, got 0"),
        ('units = "wide"', "units: must be a valid integer, got 'wide'"),
        ("units = 1.5", "units: must be a valid integer, got 1.5"),
        ("layers = 3\nunits = [64, 32]", "a list of `units` sets the number of layers"),
        ('batch_size = { type = "float", low = 16, high = 64 }', "'batch_size' in [space] has type 'float'"),
        ('units = { type = "float", low = 16, high = 64 }', "'units' in [space] has type 'float'"),
    ],
)
def test_impossible_values_of_the_space_are_refused(tmp_path: Path, line: str, message: str) -> None:
    """They would make trials fail, some of them late in the study (fault 28)."""
    assert message in str(refused(tmp_path, f"[space]\n{line}"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("trails = 3", "unknown setting 'trails' of my.toml", "'task'"),
        ("[budget]\ntrails = 3", "unknown setting 'trails' in [budget] of my.toml", "'trials'"),
        ('[search]\nprunner = "sha"', "unknown setting 'prunner' in [search] of my.toml", "'pruner'"),
        ('[objective]\nmetrics = "val_loss"', "unknown setting 'metrics' in [objective] of my.toml", "'metric'"),
        ("[space]\nlearning_rat = 0.1", "unknown parameter 'learning_rat' in [space]", "'learning_rate'"),
        (
            '[space]\ndropout = { type = "float", low = 0, hihg = 0.5 }',
            "unknown setting 'hihg' in [dropout] of [space]",
            "'high'",
        ),
        ('[[start]]\nlabel = "a"\nparams = {}\nepoch = 3', "unknown setting 'epoch' in [start.0]", "'epochs'"),
    ],
)
def test_the_hint_for_an_unknown_setting_is_the_most_similar_one(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    """A misspelt setting is not ignored in any table."""
    error = refused(tmp_path, text)

    assert message in str(error)
    assert error.hint == f"did you mean {hint}?"


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ('{ optimzer = "sgd" }', "`when` of 'momentum' names the unknown parameter 'optimzer'"),
        ('{ optimizer = "sgdd" }', "optimizer: must be 'adam', 'adamw', 'rmsprop', 'adadelta' or 'sgd', got 'sgdd'"),
        ('{ optimizer = ["sgd", "adm"] }', "got 'adm'"),
        ('"sgd"', "momentum.when: must be a table, got 'sgd'"),
        ("{ momentum = 0.5 }", "'momentum' in [space] depends on 'momentum'"),
        ("{ dropout = 0.5 }", "'momentum' in [space] depends on 'dropout', which cannot be drawn before it"),
    ],
)
def test_an_impossible_condition_is_refused(tmp_path: Path, when: str, message: str) -> None:
    """It names an unknown parameter or value, is not a table, or is part of a circle."""
    error = refused(
        tmp_path,
        f'[space]\nmomentum = {{ type = "float", low = 0.5, high = 0.9, when = {when} }}\n'
        'dropout = { type = "float", low = 0, high = 0.5, when = { momentum = 0.9 } }',
    )

    assert message in str(error)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("{ learning_rate = 0.5 }", "start 'known': learning_rate = 0.5 is not in [space]"),
        ('{ learning_rate = "big" }', "start 'known': learning_rate = 'big' is not in [space]"),
        ("{ learning_rat = 0.01 }", "start 'known': learning_rat = 0.01 is not in [space]"),
        ('{ optimizer = "sgd" }', "start 'known': optimizer = 'sgd' is not in [space]"),
        ("{ dropout = 0.15 }", "start 'known': dropout = 0.15 is not in [space]"),
        ("{ layers = 1.5 }", "start 'known': layers = 1.5 is not in [space]"),
        ("{ units = [64, 1000] }", "start 'known': units_1 = 1000 is not in [space]"),
        ("{ layers = 1, units = [64, 32] }", "start 'known': units must list one width per layer, got 2 for 1 layers"),
    ],
)
def test_a_start_configuration_outside_the_space_is_refused(tmp_path: Path, params: str, message: str) -> None:
    """A value is outside the range or between two steps, a parameter is not searched, or the network is impossible."""
    error = refused(
        tmp_path,
        f'[[start]]\nlabel = "known"\nparams = {params}\n'
        '[space]\nlearning_rate = { type = "float", low = 0.001, high = 0.1, log = true }\n'
        'dropout = { type = "float", low = 0.0, high = 0.5, step = 0.1 }\n'
        'layers = { type = "int", low = 0, high = 3 }\n'
        'units = { type = "int", low = 16, high = 128 }\n',
    )

    assert message in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data = 5", "my.toml: data: must be a valid string, got 5"),
        ('data = ""', "my.toml: data: must not be empty, got ''"),
        ('task = "regresion"', "my.toml: task: must be 'auto', 'classification' or 'regression', got 'regresion'"),
        ("validation = 0", "my.toml: validation: must be greater than 0, got 0"),
        ('budget = "small"', "my.toml: budget: must be a table, got 'small'"),
        ("[budget]\ntrials = 0", "my.toml: budget.trials: must be greater than or equal to 1, got 0"),
        ("[budget]\nepochs = 2.5", "my.toml: budget.epochs: must be a valid integer, got 2.5"),
        ('[budget]\ntimeout = "soon"', "my.toml: budget.timeout: a duration is written like '90s', '10m' or '1h30m'"),
        ('[budget]\ntimeout = "0s"', "my.toml: budget.timeout: must be greater than 0, got '0s'"),
        ("[budget]\ntimeout = inf", "my.toml: budget.timeout: must be a finite number, got inf"),
        ("[search]\nseed = -1", "my.toml: search.seed: must be greater than or equal to 0, got -1"),
        ('[search]\npruner = "threshold"', "pruner 'threshold' needs a value"),
        ('[search]\nsampler = "grid"', "'learning_rate' is any number from 0.001 to 0.1 (my.toml)"),
        ("[[start]]\nparams = {}", "my.toml: start.0.label is missing"),
        ('[start]\nlabel = "a"', "my.toml: start: must be a list, got {'label': 'a'}"),
        ("space = 5", "my.toml: space: must be a table, got 5"),
    ],
)
def test_impossible_settings_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """This covers wrong types, wrong ranges and missing keys, in all tables."""
    assert message in str(refused(tmp_path, text))


def test_a_file_must_name_a_data_set(tmp_path: Path) -> None:
    """The hint shows a complete file."""
    path = tmp_path / "my.toml"
    path.write_text("[space]\n", encoding="utf-8")

    with pytest.raises(RecipeError, match=r"my\.toml: data is missing") as caught:
        load_recipe(str(path))

    assert caught.value.hint == "`tuner space show digits` shows a complete file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"data = digits\n", "my.toml is not TOML: Invalid value"),
        (b'data = "digits"\ndata = "mnist"\n', "my.toml is not TOML: Cannot overwrite a value"),
        ('data = "größer"\n'.encode("latin-1"), "my.toml is not TOML: 'utf-8' codec can't decode"),
        (b"\x00\x01\x02", "my.toml is not TOML"),
    ],
)
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """The message locates a syntax error by line, and a wrong encoding by byte."""
    path = tmp_path / "my.toml"
    path.write_bytes(content)

    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path))

    assert message in str(caught.value)
    assert caught.value.exit_code == 2

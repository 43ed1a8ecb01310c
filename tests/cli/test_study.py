"""The commands on studies: stdout, stderr and exit codes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.filesize import decimal

from tuner.cli.main import main

Tuner = Callable[..., Result]
QUICK = ("--executor", "inline", "--device", "cpu", "--epochs", "2")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished study of four trials."""
    home = tmp_path_factory.mktemp("cli") / ".tuner"
    result = CliRunner().invoke(main, ["study", "start", "digits", "--trials", "4", *QUICK, "--home", str(home)])
    assert result.exit_code == 0, result.stderr
    return home


@pytest.fixture
def tuner(home: Path) -> Tuner:
    def run(*args: str, home: Path = home) -> Result:
        return CliRunner().invoke(main, [*args, "--home", str(home)])

    return run


def test_start_prints_the_best_configurations_and_the_next_commands(home: Path) -> None:
    """The result is on stdout, the progress on stderr."""
    result = CliRunner().invoke(
        main, ["study", "start", "digits", "--name", "two", "--trials", "2", *QUICK, "--home", str(home)]
    )
    assert result.exit_code == 0
    assert "The best trials" in result.stdout
    assert re.search(r"^validation  accuracy 0\.\d{4}   loss", result.stdout, re.MULTILINE)
    assert re.search(r"^test        accuracy 0\.\d{4}   loss", result.stdout, re.MULTILINE)
    assert "learning_rate" in result.stdout
    assert "2 trials of up to 2 epochs, 1 at a time; roughly" in result.stderr
    assert "trial   0 paused " in result.stderr
    assert " complete " in result.stderr
    assert "tuner export two -o model/" in result.stderr
    CliRunner().invoke(main, ["study", "delete", "two", "--yes", "--home", str(home)])


def test_start_prints_one_json_object(tuner: Tuner) -> None:
    """A finished study is reported without training."""
    result = tuner("study", "start", "digits", "--trials", "4", *QUICK, "--json")
    report = json.loads(result.stdout)

    assert result.exit_code == 0
    assert report["study"] == "digits"
    assert report["trials"]["complete"] + report["trials"]["pruned"] == 4
    assert report["test"]["accuracy"] > 0.3


def test_quiet_with_json_prints_nothing_on_stderr(tuner: Tuner) -> None:
    """Scripts may keep stderr clean."""
    assert tuner("study", "start", "digits", "--trials", "4", *QUICK, "--json", "--quiet").stderr == ""


def test_list_show_trials_and_best_agree(tuner: Tuner) -> None:
    """All four show the same study."""
    listed = json.loads(tuner("study", "list", "--json").stdout)
    shown = json.loads(tuner("study", "show", "digits", "--json").stdout)
    trials = json.loads(tuner("study", "trials", "digits", "--json").stdout)
    best = json.loads(tuner("study", "best", "digits", "--json").stdout)

    assert [study["study"] for study in listed] == ["digits"]
    assert shown["recipe"]["data"] == "digits"
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert listed[0]["best"] == {"trial": best["trial"], "value": best["value"]}
    assert trials[best["trial"]]["value"] == best["value"]


@pytest.mark.parametrize(
    "words",
    [("study", "list"), ("study", "show", "digits"), ("study", "trials", "digits"), ("study", "best", "digits"),
     ("report", "digits")],
)  # fmt: skip
def test_every_reporting_command_prints_a_table(tuner: Tuner, words: tuple[str, ...]) -> None:
    """Without `--json`, the output is a table."""
    result = tuner(*words)
    assert result.exit_code == 0, result.stderr
    assert "digits" in result.stdout or "configuration" in result.stdout


def test_show_names_the_sampler_that_auto_chose(tuner: Tuner) -> None:
    """In parentheses after `auto`."""
    assert "auto (tpe)" in tuner("study", "show", "digits").stdout


def test_show_says_how_much_disk_the_models_and_checkpoints_take(tuner: Tuner, home: Path) -> None:
    """The doctor adds it up for all studies."""
    size = sum(file.stat().st_size for file in (home / "artifacts").rglob("*") if file.is_file())

    assert json.loads(tuner("study", "show", "digits", "--json").stdout)["artifact_bytes"] == size
    assert "models and checkpoints" in tuner("study", "show", "digits").stdout
    assert f" exist, {decimal(size)}" in tuner("doctor", "--quick").stdout


def test_trials_can_be_limited_to_the_best(tuner: Tuner) -> None:
    """The best comes first."""
    top = json.loads(tuner("study", "trials", "digits", "--top", "2", "--json").stdout)
    values = [trial["value"] for trial in top]
    assert values == sorted(values, reverse=True)


def test_report_writes_every_trial_as_csv(tuner: Tuner, tmp_path: Path) -> None:
    """The file has one line per trial, with metrics and parameters."""
    file = tmp_path / "trials.csv"
    result = tuner("report", "digits", "--csv", str(file))
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))

    assert result.exit_code == 0
    assert [row["number"] for row in rows] == ["0", "1", "2", "3"]
    assert {"metrics_val_accuracy", "params_learning_rate", "seconds", "parameters"} <= set(rows[0])


def test_report_begins_with_a_paragraph_about_the_study(tuner: Tuner) -> None:
    """The JSON has it under its own key. With too few trials, a message says so."""
    printed, report = tuner("report", "digits"), json.loads(tuner("report", "digits", "--json").stdout)
    paragraph = printed.stdout.partition("\n\n")[0]

    assert report["reading"].split() == paragraph.split()
    assert f"trial {report['trial']} " in paragraph.lower()
    assert "The importance of the parameters is unknown: it takes at least" in printed.stderr
    assert report["importances"]["ped_anova"] == report["importances"]["fanova"] == report["regions"] == {}
    assert len(report["top"]) <= 10


def test_stop_says_when_nothing_runs(tuner: Tuner) -> None:
    """The command that continues the study follows."""
    result = tuner("study", "stop", "digits")
    assert result.exit_code == 0
    assert "'digits' is not running." in result.stderr


def test_an_unknown_study_is_named_with_the_nearest(tuner: Tuner) -> None:
    """Exit code 2 and no traceback (fault 37)."""
    for words in (("study", "show"), ("study", "trials"), ("study", "best"), ("study", "stop"), ("report",)):
        result = tuner(*words, "digts")
        assert result.exit_code == 2
        assert result.stderr == "Error: there is no study 'digts'\nHint:  did you mean 'digits'?\n"


def test_without_a_database_reading_commands_create_nothing(tuner: Tuner, tmp_path: Path) -> None:
    """They find no study, and no file appears (fault 3)."""
    empty = tmp_path / ".tuner"
    assert tuner("study", "list", "--json", home=empty).stdout == "[]\n"
    assert "There are no studies yet." in tuner("study", "list", home=empty).stderr
    assert tuner("study", "show", "digits", home=empty).exit_code == 2
    assert not empty.exists()


def test_a_zero_byte_database_is_initialised_by_start_alone(tuner: Tuner, tmp_path: Path) -> None:
    """Reading commands report that there is no study (fault 3)."""
    home = tmp_path / ".tuner"
    home.mkdir()
    (home / "studies.db").touch()
    assert tuner("study", "show", "digits", home=home).exit_code == 2
    assert (home / "studies.db").stat().st_size == 0
    assert tuner("study", "start", "digits", "--trials", "1", *QUICK, home=home).exit_code == 0
    assert tuner("study", "show", "digits", home=home).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sampler", "tpee", "did you mean 'tpe'?"),
        ("--pruner", "medain", "did you mean 'median'?"),
        ("--timeout", "soon", "a duration is written like"),
        ("--trials", "0", "must be greater than or equal to 1, got 0"),
        ("--epochs", "-3", "must be greater than or equal to 1, got -3"),
        ("--validation", "0", "must be greater than 0, got 0"),
        ("--name", "", "must not be empty"),
        ("--name", "a\nb", "must be one line"),
        ("--name", "x" * 201, "at most 200 characters, got 201"),
    ],
)
def test_impossible_settings_are_refused_before_any_trial(
    tuner: Tuner, tmp_path: Path, option: str, value: str, message: str
) -> None:
    """Exit code 2, the wrong value, and the most similar name (faults 27, 28, 36)."""
    result = tuner("study", "start", "digits", option, value, *QUICK[:4], home=tmp_path / ".tuner")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / ".tuner").exists()


def test_a_mistake_in_a_file_names_file_key_and_value(tuner: Tuner, tmp_path: Path) -> None:
    """Nothing runs and no file is created."""
    file = tmp_path / "my.toml"
    file.write_text('data = "digits"\n[budget]\ntrails = 3\n[space]\nlearning_rate = 0.1\n', encoding="utf-8")
    for words in (("study", "start", str(file)), ("space", "check", str(file))):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert (
            result.stderr == "Error: unknown setting 'trails' in [budget] of my.toml\nHint:  did you mean 'trials'?\n"
        )


def test_space_commands_list_show_and_check(tmp_path: Path) -> None:
    """`check` accepts the output of `show`."""
    listed = json.loads(CliRunner().invoke(main, ["space", "list", "--json"]).stdout)
    assert {"digits", "mnist", "fashion_mnist", "mnist_ladder"} <= {row["name"] for row in listed}
    for row in listed:
        file = tmp_path / f"{row['name']}.toml"
        file.write_text(CliRunner().invoke(main, ["space", "show", row["name"]]).stdout, encoding="utf-8")
        checked = CliRunner().invoke(main, ["space", "check", str(file)])
        assert checked.exit_code == 0
        assert "is fine" in checked.stdout


def test_delete_asks_and_then_removes(tuner: Tuner, home: Path) -> None:
    """`--yes` skips the question, for scripts."""
    tuner("study", "start", "digits", "--name", "gone", "--trials", "1", *QUICK)
    refused = CliRunner().invoke(main, ["study", "delete", "gone", "--home", str(home)], input="n\n")
    assert refused.exit_code == 1
    assert tuner("study", "delete", "gone", "--yes").exit_code == 0
    assert tuner("study", "show", "gone").exit_code == 2


def test_a_gpu_that_is_not_there_ends_the_run(tuner: Tuner, tmp_path: Path) -> None:
    """Exit code 1, and a hint how to run without one (fault 26)."""
    from tuner.training.runtime import prepare

    if prepare("auto") != "cpu":
        pytest.skip("this machine has a GPU")
    result = tuner("study", "start", "digits", "--executor", "inline", "--device", "gpu", home=tmp_path / ".tuner")
    assert result.exit_code == 1
    assert "Error: no GPU was found" in result.stderr
    assert "--device auto" in result.stderr

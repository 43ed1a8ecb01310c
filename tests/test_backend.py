"""The backend of Keras is checked before anything starts and before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import distribution, environment
from tuner.cli.main import main
from tuner.doctor import Examination, machine
from tuner.errors import UsageError

LINE = "Error: the Keras backend 'foo' in KERAS_BACKEND cannot be used\n"


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("executor", ["local", "inline"])
@pytest.mark.parametrize("backend", ["foo", "numpy", "torch"])
def test_a_run_with_another_backend_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, executor: str, backend: str
) -> None:
    """The message names the backends that can be used. No home folder is made."""
    monkeypatch.setenv("KERAS_BACKEND", backend)
    result = run("study", "start", "digits", "--executor", executor, "--home", home)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(LINE.replace("foo", backend))
    assert "Hint:  tuner works with tensorflow and jax: export KERAS_BACKEND=tensorflow" in result.stderr
    assert not home.exists()


def test_a_backend_that_is_not_installed_is_named_with_the_command_that_installs_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint can be pasted into a shell."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    result = run("study", "start", "digits", "--home", home)

    assert result.exit_code == 2
    assert "Error: the Keras backend 'jax' is not installed" in result.stderr
    assert f"Hint:  {distribution.install('jax')}" in result.stderr
    assert not home.exists()


def test_a_backend_of_the_settings_file_is_checked_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the file."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "theano"}))

    with pytest.raises(UsageError, match=f"the Keras backend 'theano' in {tmp_path}/keras.json cannot be used"):
        environment.check_backend()


def test_every_other_command_that_needs_the_backend_refuses_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 2 and one line, not the error of an import."""
    run_scripted(home, small_recipe())
    monkeypatch.setenv("KERAS_BACKEND", "foo")
    export = run("export", "small", "-o", tmp_path / "model", "--home", home)
    reproduce = run("study", "reproduce", "small", "--home", home)

    assert [(done.exit_code, LINE in done.stderr) for done in (export, reproduce)] == [(2, True), (2, True)]
    assert not (tmp_path / "model").exists()


def test_the_doctor_names_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started for it."""
    monkeypatch.setenv("KERAS_BACKEND", "foo")
    examination = Examination()
    machine.examine_device(examination)

    assert [(check.status, check.message) for check in examination.checks] == [
        ("problem", "the Keras backend 'foo' in KERAS_BACKEND cannot be used")
    ]

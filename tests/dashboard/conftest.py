"""A finished study and a server of its dashboard; nothing here imports TensorFlow."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.dashboard.decorate import decorate
from tuner.dashboard.server import DashboardServer
from tuner.report.figures.learning_curves import Curves
from tuner.results.trials import TrialResult, ranked

# Some trials fail (batch_size 1, see tests/scripted.py) and, from the sixth on, some are pruned.
SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "batch_size": {"type": "choice", "choices": [1, 16, 32]},
    "layers": 1,
    "units": 8,
}


PASSWORD = "pässword & more"  # noqa: S105 - of these tests


@dataclass(frozen=True)
class Finished:
    """A study in ``home`` that ran to its end."""

    home: Path
    recipe: Recipe
    name: str = "small"

    @property
    def trials(self) -> list[TrialResult]:
        return trials_of(self.home, self.recipe, self.name)

    @property
    def best(self) -> TrialResult:
        return ranked(self.trials, self.recipe)[0]

    @property
    def curves(self) -> Curves:
        with studies.existing(locate(home=self.home), self.name) as (store, _, record):
            return store.epochs(record.id)

    def run(self, trials: int, **options: Any) -> None:
        """Run until the study has so many trials, and write what the dashboard shows, as a run does at its end."""
        recipe = self.recipe.changed(budget={"trials": trials})
        run_scripted(self.home, recipe, name=self.name, **options)
        with studies.existing(locate(home=self.home), self.name) as stored:
            decorate(stored, self.trials)

    def note(self, text: str | None = None) -> str:
        """Return the study's note; with ``text``, replace it first, as a user may do in the dashboard."""
        from optuna_dashboard import get_note, save_note

        with studies.existing(locate(home=self.home), self.name) as (_, study, _record):
            if text is not None:
                save_note(study, text)
            return str(get_note(study))

    def system_attrs(self) -> dict[str, object]:
        with studies.existing(locate(home=self.home), self.name) as (_, study, _record):
            storage: optuna.storages.BaseStorage = study._storage
            return storage.get_study_system_attrs(study._study_id)


@pytest.fixture(scope="package")
def original(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A study of twelve trials, some of them pruned or failed."""
    recipe = small_recipe(
        description="Learns by a formula.", search={"sampler": "random", "pruner": "median", "seed": 2}, space=SPACE
    )
    study = Finished(tmp_path_factory.mktemp("dashboard") / ".tuner", recipe)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        study.run(12)
        assert {trial.state for trial in study.trials} == {"complete", "pruned", "failed"}
    return study


@pytest.fixture
def finished(original: Finished, home: Path) -> Finished:
    """A copy of ``original`` that a test may change."""
    shutil.copytree(original.home, home)
    return replace(original, home=home)


@contextmanager
def served(study: Finished, **options: Any) -> Iterator[str]:
    """Serve the dashboard of a study, and yield its address without the path."""
    with DashboardServer(locate(home=study.home), port=0, **options) as server, server.serving():
        yield server.address.removesuffix("/dashboard")


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """A file with a password for its owner only."""
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=localhost", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture
def address(finished: Finished) -> Iterator[str]:
    """The address of the dashboard of ``finished``, without the path."""
    with served(finished) as address:
        yield address

"""The facade that the command line and Python users call."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import search_spaces
from storage import Location, locate
from tuner import studies
from tuner.config.objectives import objective_table
from tuner.config.recipe import Recipe, load_recipe
from tuner.errors import DataError, RecipeError, did_you_mean
from tuner.executors import Executor, InlineExecutor, LocalExecutor
from tuner.executors.local import default_workers
from tuner.jobs import TrainerSetup
from tuner.results import overview
from tuner.results.overview import StudySummary
from tuner.results.reader import StudyReader
from tuner.run.progress import Progress, Silent
from tuner.run.session import search, settle

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.download import Progress as DownloadProgress
    from tuner.delivery.manifest import Manifest
    from tuner.results.reproduce import OnEpoch, Reproduction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: by ``timeout``, ``target``, ``plateau``, ``stop`` or a signal; ``None`` when all was done."""

    stopped_by: str | None


class Study(StudyReader):
    """One study: what is stored of it, and what can be done. Made by :func:`open_study` or :func:`load_study`."""

    def __init__(self, name: str, recipe: Recipe, location: Location, data_dir: Path | None) -> None:
        super().__init__(name, recipe, location)
        self._data_dir = data_dir
        self._data: Dataset | None = None

    def run(
        self,
        *,
        trials: int | None = None,
        epochs: int | None = None,
        timeout: float | str | None = None,
        retries: int | None = None,
        trial_timeout: float | str | None = None,
        target: float | None = None,
        plateau: int | None = None,
        max_parameters: int | None = None,
        learn_from: Sequence[str] | None = None,
        seed: int | None = None,
        confirm: int | None = None,
        seeds: int | None = None,
        refit: bool | None = None,
        sampler: str | None = None,
        pruner: str | None = None,
        threshold: float | None = None,
        validation: float | None = None,
        objectives: str | Sequence[str] | None = None,
        workers: int | None = None,
        device: Literal["auto", "cpu", "gpu"] = "auto",
        executor: Literal["local", "inline"] = "local",
        fresh: bool = False,
        take_over: bool = False,
        test_all: bool = False,
        progress: Progress | None = None,
    ) -> RunResult:
        """Search until the budget is spent; a study that exists goes on where it stopped.

        Ctrl-C ends the run after the running epochs; every result is kept. A study that goes on keeps the epochs,
        sampler, pruner, seed and validation rows that it had, unless they are given here; the trials and the timeout
        are the recipe's.

        Args:
            trials: Total of the study, not of this run.
            epochs: Epochs of each trial at most.
            timeout: Seconds of this run, or text like ``"10m"``.
            retries: Further attempts at a trial whose process died.
            trial_timeout: Seconds of one attempt at a trial, or text like ``"90s"``; it fails when they are over.
            target: End once the best objective is as good as this.
            plateau: End once so many trials have ended without a better one.
            max_parameters: Refuse configurations with more weights; they count as no trials.
            learn_from: Studies of the same database. Of the same data, validation rows and objective, their trials seed
                the sampler; of others, the best configurations are tried first: see :mod:`tuner.search.warm_start`.
            confirm: After the search, train the best so many configurations again: the best mean wins.
            seeds: With how many further seeds each.
            refit: Train the winner once more, on the training and validation rows together.
            seed: Of everything random.
            sampler: auto, tpe, gp, random, qmc, cmaes, grid or nsga2. ``auto`` is ``grid`` where the trials suffice for
                every configuration when the study begins, else ``tpe``.
            pruner: asha, hyperband, none, or of Optuna's median, percentile, sha, optuna-hyperband, patient, threshold.
            threshold: Worst objective that the ``threshold`` pruner lets live.
            validation: Share (below 1) or number of the training rows that validate.
            objectives: What trials are judged by, ``"val_accuracy,parameters"`` or a list: see
                :class:`tuner.config.objectives.Objective`. Of a study that exists they cannot be changed.
            workers: Processes that train at the same time; ``None`` takes one per core.
            device: ``gpu`` fails where there is none.
            executor: ``inline`` trains in this process.
            fresh: Delete the study first, if it exists.
            take_over: Wait for the lease of another run to run out, where that run hangs or its machine is gone.
            test_all: Evaluate every kept model on the test split at the end, not the best alone.
            progress: Hears what goes on.

        Raises:
            RecipeError: If a setting is not possible, or what is searched differs from what the study began with.
            UsageError: If a study to learn from is unknown, or is not one that this one began with.
            DataError: If the data is missing or changed since the study began.
            RunError: If another run holds the study, no trainer can be had, every trial fails, or nothing but
                configurations that are too large come.
            StorageError: If the database cannot be used.
        """
        asked: dict[str, dict[str, object]] = {
            "recipe": {"validation": validation},
            "objective": {} if objectives is None else objective_table(objectives),
            "budget": {
                "trials": trials,
                "epochs": epochs,
                "timeout": timeout,
                "retries": retries,
                "trial_timeout": trial_timeout,
                "target": target,
                "plateau": plateau,
                "max_parameters": max_parameters,
            },
            "winner": {"confirm": confirm, "seeds": seeds, "refit": refit},
            "search": {
                "sampler": sampler,
                "pruner": pruner,
                "threshold": threshold,
                "seed": seed,
                "learn_from": None if learn_from is None else list(learn_from),
            },
        }
        self.recipe = self.recipe.changed(**asked)  # a mistake is found before anything is made
        data = self.load_data()
        settled = settle(self.name, self.location, self.recipe, asked, data, fresh=fresh)
        self.recipe = settled.recipe
        setup = self._setup(device)  # of the rows that the study began with
        trainers: Executor = (
            InlineExecutor(setup) if executor == "inline" else LocalExecutor(setup, workers or default_workers())
        )
        stopped_by = search(
            self.name,
            self.location,
            settled,
            data,
            trainers,
            progress=progress or Silent(),
            fresh=fresh,
            take_over=take_over,
            test_all=test_all,
            decorate=self._decorate,
        )
        return RunResult(stopped_by)

    def export(
        self,
        folder: Path | str,
        *,
        trial: int | None = None,
        formats: Sequence[str] = ("keras", "saved-model"),
        force: bool = False,
        refit: bool | None = None,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> Manifest:
        """Write the model of the best trial, or of ``trial``, as a folder that needs none of our code.

        Args:
            folder: Where it goes.
            trial: Number of the trial; ``None`` takes the best one.
            formats: Of ``keras``, ``saved-model``, ``onnx`` and ``litert``.
            force: Replace an exported model that is already in ``folder``.
            refit: Whether to take the model that was trained again on all rows, or the one that was validated; ``None``
                takes the former if no trial is named and there is one of the best.
            on_step: Told in words what is done next.

        Raises:
            UsageError: If there is no such trial, model or refit, or ``folder`` exists and ``force`` is not set.
            RunError: If a format cannot be written or disagrees with the original.
        """
        from tuner.delivery.export_trial import export_trial

        chosen = self.best() if trial is None else self.trial(trial)
        if refit is None:
            refit = trial is None and self._refit_of(chosen) is not None
        with studies.existing(self.location, self.name) as found:
            data = self.load_data()
            return export_trial(found, chosen, data, Path(folder), formats, force=force, on_step=on_step, refit=refit)

    def reproduce(
        self,
        trial: int | None = None,
        *,
        workers: int | None = None,
        device: Literal["auto", "cpu", "gpu"] | None = None,
        executor: Literal["local", "inline"] = "local",
        on_epoch: OnEpoch = lambda *_: None,
    ) -> Reproduction:
        """Train a trial that has ended again and compare; nothing of the study is written, and it may be running.

        Args:
            trial: Its number; ``None`` takes the best one.
            workers: Use as many threads as each of so many workers; ``None`` does as its run did.
            device: Where to train; ``None`` takes the CPU if it was trained there, else what ``auto`` finds.
            executor: ``inline`` trains in this process, with the threads that it has.
            on_epoch: Hears of each epoch (0-based), with its metrics then and now.

        Raises:
            UsageError: If there is no such trial, or it has not ended, or no epoch of it is stored.
            DataError: If the data is missing or changed since the study began.
            RunError: If no trainer can be had, or it dies.
        """
        from tuner.results.reproduce import compare, recall, train_again

        with studies.existing(self.location, self.name) as found:
            self.recipe = found.recipe
            finished = recall(found, self.best() if trial is None else self.trial(trial))
        if self.load_data().fingerprint != finished.fingerprint:
            raise DataError(
                f"the rows of '{self.recipe.data}' changed since study '{self.name}' began",
                hint="no trial of it can be reproduced with other rows: bring the old ones back",
            )
        threads = finished.threads(workers)
        setup = self._setup(device or finished.device)
        trainer = InlineExecutor(setup) if executor == "inline" else LocalExecutor(setup, 1, threads=threads)
        return compare(finished, train_again(finished, trainer, on_epoch))

    def load_data(self, progress: DownloadProgress | None = None) -> Dataset:
        """Return the data set, read once and downloaded if need be.

        Args:
            progress: Hears how a download goes on.

        Raises:
            DataError: If it cannot be had or is malformed.
        """
        from tuner.data.lookup import load_dataset

        if self._data is None:
            self._data = load_dataset(self.recipe.data, self._data_dir, progress=progress)
        return self._data

    def _decorate(self, found: studies.StoredStudy) -> None:
        """Bring what the dashboard shows up to date; without it every result is there all the same."""
        from tuner.dashboard.decorate import decorate

        try:
            decorate(found.study, self.recipe, self.read_trials(found), found.store.epochs(found.record.id))
        except Exception:  # noqa: BLE001 - an error of the run itself must not be hidden by this
            _log.warning("the dashboard's notes could not be written; the next run writes them")
            _log.debug("the dashboard's notes", exc_info=True)

    def _setup(self, device: str) -> TrainerSetup:
        recipe = self.recipe
        return TrainerSetup(
            data=recipe.data,
            data_dir=None if self._data_dir is None else self._data_dir.absolute(),
            validation=recipe.validation,
            split_seed=recipe.split_seed,
            metric=recipe.objective.metric,
            maximize=recipe.objective.maximize,
            device=device,
        )


def open_study(
    search: str,
    *,
    name: str | None = None,
    storage: str | None = None,
    home: Path | None = None,
    data_dir: Path | None = None,
) -> Study:
    """Open a search: a name (see ``tuner space list``), a TOML file, or a study that exists. Writes nothing.

    Args:
        search: The search.
        name: The study's name; ``None`` takes the recipe's.
        storage: URL of the database; ``None`` takes ``TUNER_STORAGE``, else ``studies.db`` in ``home``.
        home: Folder for database and models; ``None`` takes ``TUNER_HOME``, else ``.tuner``.
        data_dir: Folder that is searched first for data sets; ``None`` takes ``TUNER_DATA``.

    Raises:
        RecipeError: If there is no such search, or it has a mistake.
        UsageError: If the name cannot be a study's.
    """
    if search.endswith(".toml") or search in search_spaces.names():
        recipe = load_recipe(search)
        chosen = studies.check_name(recipe.name if name is None else name)
        return Study(chosen, recipe, locate(storage, home), _data_dir(data_dir))
    location = locate(storage, home)
    before = studies.recipe_of(location, search)
    if before is not None:
        return Study(studies.check_name(name or search), before, location, _data_dir(data_dir))
    raise RecipeError(f"there is no search or study '{search}'", hint=did_you_mean(search, search_spaces.names()))


def load_study(
    name: str, *, storage: str | None = None, home: Path | None = None, data_dir: Path | None = None
) -> Study:
    """Open a study that was started before.

    Raises:
        UsageError: If there is none of that name.
    """
    location = locate(storage, home)
    with studies.existing(location, name) as found:
        return Study(name, found.recipe, location, _data_dir(data_dir))


def list_studies(*, storage: str | None = None, home: Path | None = None) -> list[StudySummary]:
    """Return every study in a line, by name; none where there is no database."""
    return overview.list_studies(locate(storage, home))


def _data_dir(given: Path | None) -> Path | None:
    if given is not None:
        return given
    return Path(os.environ["TUNER_DATA"]) if os.environ.get("TUNER_DATA") else None

"""The Python interface, on which the command line is built: open a study, run it, export its model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from storage import locate
from tuner import studies
from tuner.config.tables import by_table
from tuner.executors import Executor, InlineExecutor, LocalExecutor
from tuner.executors.local import default_workers
from tuner.jobs import TrainerSetup
from tuner.results import overview
from tuner.results.overview import StudySummary
from tuner.results.reader import StudyReader
from tuner.run.progress import Progress, Silent
from tuner.run.session import prepare, run_search

if TYPE_CHECKING:
    from tuner.delivery.manifest import Manifest
    from tuner.results.reproduce import Reproduction
    from tuner.results.retrain import OnEpoch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one run.

    ``stopped_by`` is ``None`` if the run did everything that was planned. If it ended early, it is the stop reason:
    ``"timeout"``, ``"target"``, ``"plateau"``, ``"stop"`` or the name of a signal.
    """

    stopped_by: str | None


class Study(StudyReader):
    """One study: run it, read its results, export its model.

    Use :func:`open_study` or :func:`load_study` to create one. The methods that read results are inherited from
    :class:`tuner.results.reader.StudyReader`.
    """

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
        """Search until the budget is spent. If the study exists already, continue it.

        >>> study.run(trials=40, timeout="10m")  # doctest: +SKIP

        Every result is stored as soon as it is there. Ctrl-C ends the run after the current epochs. Nothing is lost:
        the next call of ``run`` continues the study.

        A new study takes the settings that are ``None`` from the recipe. A study that exists keeps its ``epochs``,
        ``max_parameters``, ``sampler``, ``pruner``, ``threshold`` and ``seed`` if they are ``None``, and takes the
        others from the recipe. It also keeps its ``validation``, ``objectives`` and ``learn_from``: they cannot change.

        Args:
            trials: Number of trials of the whole study, not of this run.
            epochs: Maximum number of epochs of a trial.
            timeout: Maximum duration of this run, in seconds or as text like ``"10m"``.
            retries: How often a trial is started again if its process dies.
            trial_timeout: Maximum duration of one attempt at a trial, in seconds or as text like ``"90s"``. A trial
                that takes longer fails.
            target: Stop once a trial's value, that of the first objective, is at least this good.
            plateau: Stop after this many trials without a better value.
            max_parameters: Refuse configurations with more weights. They do not count as trials.
            learn_from: Names of earlier studies in the same database. If data, validation rows and objective are the
                same, their trials seed the sampler. If not, their best configurations are tried first. See
                :mod:`tuner.search.warm_start`.
            seed: Seed of all random choices.
            confirm: After the search, train this many of the best configurations again. The best mean wins.
            seeds: Number of further seeds for each of these configurations.
            refit: Train the winner once more at the end, on the training and validation rows together.
            sampler: ``auto``, ``tpe``, ``gp``, ``random``, ``qmc``, ``cmaes``, ``grid`` or ``nsga2``. When the study
                begins, ``auto`` becomes ``grid`` if there are enough trials for every configuration, else ``tpe``.
            pruner: ``asha``, ``hyperband`` or ``none``, or one of Optuna's pruners: ``median``, ``percentile``,
                ``sha``, ``optuna-hyperband``, ``patient`` or ``threshold``.
            threshold: The ``threshold`` pruner prunes trials with a worse value than this.
            validation: Size of the validation split: a share of the training rows if below 1, else a number of rows.
            objectives: Names of one to three objectives, such as ``"val_accuracy,parameters"`` or a list. See
                :class:`tuner.config.objectives.Objective`.
            workers: Number of processes that train at the same time; ``None`` starts one per CPU core, at most 8.
            device: Where to train. ``auto`` uses a GPU if there is one, ``gpu`` fails if there is none.
            executor: ``local`` trains in worker processes, ``inline`` in this process.
            fresh: Delete the study first, if it exists.
            take_over: If another run holds the lease, wait until the lease expires. Use this if that run hangs or its
                machine is gone.
            test_all: At the end, evaluate all kept models on the test split, not only the winner.
            progress: Receives the plan, the state of the run several times per second, and the end of each trial.

        Returns:
            Whether the run ended early, and why.

        Raises:
            RecipeError: If a setting is not possible, or differs from what the study began with and cannot change.
            UsageError: If a study in ``learn_from`` does not exist, or this study began with other ones.
            DataError: If the data is missing, or has changed since the study began.
            RunError: If another run holds the lease, no trainer can start, many trials fail in a row, or the sampler
                proposes only configurations that are too large.
            StorageError: If the database cannot be used.
        """
        overrides = by_table(
            trials=trials, epochs=epochs, timeout=timeout, retries=retries, trial_timeout=trial_timeout, target=target,
            plateau=plateau, max_parameters=max_parameters, learn_from=learn_from, seed=seed, confirm=confirm,
            seeds=seeds, refit=refit, sampler=sampler, pruner=pruner, threshold=threshold, validation=validation,
            objectives=objectives,
        )  # fmt: skip
        self.recipe = self.recipe.changed(**overrides)  # raises if a setting is wrong, before anything is created
        data = self.load_data()
        prepared = prepare(self.name, self.location, self.recipe, overrides, data, fresh=fresh)
        self.recipe = prepared.recipe  # the executor needs the split that the study began with
        stopped_by = run_search(
            self.name,
            self.location,
            prepared,
            data,
            self._executor(executor, device, workers or default_workers()),
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
        """Write a model into a folder that can be used without this package.

        Args:
            folder: The folder to create.
            trial: Number of the trial; ``None`` takes the winner.
            formats: Any of ``keras``, ``saved-model``, ``onnx`` and ``litert``.
            force: Replace an exported model that is already in ``folder``.
            refit: ``True`` takes the refit, ``False`` the model that the trial trained. ``None`` takes the refit if
                ``trial`` is ``None`` and the winner has one.
            on_step: Receives a short text at the beginning of each step.

        Raises:
            UsageError: If there is no such trial, model or refit, or ``folder`` exists and ``force`` is not set.
            RunError: If a format cannot be written, or its predictions differ from those of the original model.
        """
        from tuner.delivery.export_trial import export_trial

        chosen = self.best() if trial is None else self.trial(trial)
        if refit is None:
            refit = trial is None and self._refit_of(chosen) is not None
        with studies.existing(self.location, self.name) as stored:
            data = self.load_data()
            return export_trial(stored, chosen, data, Path(folder), formats, force=force, on_step=on_step, refit=refit)

    def reproduce(
        self,
        trial: int | None = None,
        *,
        workers: int | None = None,
        device: Literal["auto", "cpu", "gpu"] | None = None,
        executor: Literal["local", "inline"] = "local",
        on_epoch: OnEpoch = lambda *_: None,
    ) -> Reproduction:
        """Train a finished trial again and compare every epoch. Writes nothing; the study may be running.

        Args:
            trial: Number of the trial; ``None`` takes the winner.
            workers: Train with as many threads as one of this number of workers has; ``None`` takes the number of
                workers of the trial's run.
            device: Where to train; ``None`` takes the CPU if the trial was trained on it, else ``auto``.
            executor: ``local`` trains in a worker process, ``inline`` in this process with the threads that it has.
            on_epoch: Receives each epoch (0-based), with its stored metrics and the new ones.

        Raises:
            UsageError: If there is no such trial, it has not ended, or none of its epochs is stored.
            DataError: If the data is missing, or has changed since the study began.
            RunError: If no trainer can start, or it dies.
        """
        from tuner.results.reproduce import compare
        from tuner.results.retrain import read_finished, train_again

        with studies.existing(self.location, self.name) as stored:
            self.recipe = stored.recipe
            finished = read_finished(stored, self.best() if trial is None else self.trial(trial))
        finished.check_rows(self.load_data())
        trainer = self._executor(executor, device or finished.device, 1, finished.threads(workers))
        return compare(finished, train_again(finished, trainer, on_epoch))

    def _decorate(self, stored: studies.StoredStudy) -> None:
        """Update what the dashboard shows. A failure is only logged: no result depends on it."""
        from tuner.dashboard.decorate import decorate

        try:
            decorate(stored.study, self.recipe, self.read_trials(stored), stored.store.epochs(stored.record.id))
        except Exception:  # noqa: BLE001 - must not hide an error of the run itself
            _log.warning("the dashboard's notes could not be written; the next run writes them")
            _log.debug("the dashboard's notes", exc_info=True)

    def _executor(self, kind: str, device: str, workers: int, threads: int | None = None) -> Executor:
        recipe = self.recipe
        setup = TrainerSetup(
            data=recipe.data,
            data_dir=None if self.data_dir is None else self.data_dir.absolute(),
            validation=recipe.validation,
            split_seed=recipe.split_seed,
            metric=recipe.objective.metric,
            maximize=recipe.objective.maximize,
            device=device,
        )
        return InlineExecutor(setup) if kind == "inline" else LocalExecutor(setup, workers, threads=threads)


def open_study(
    search: str,
    *,
    name: str | None = None,
    storage: str | None = None,
    home: Path | None = None,
    data_dir: Path | None = None,
) -> Study:
    """Open the study of a search, whether it exists already or not. Writes nothing.

    Args:
        search: A built-in search (``tuner space list`` shows them), a TOML file, or the name of a study that exists.
        name: Name of the study; ``None`` takes the recipe's.
        storage: URL of the database; ``None`` takes ``TUNER_STORAGE``, else ``studies.db`` in ``home``.
        home: Folder of the database and the models; ``None`` takes ``TUNER_HOME``, else ``.tuner``.
        data_dir: Folder that is searched first for data sets; ``None`` takes ``TUNER_DATA``.

    Raises:
        RecipeError: If there is no such search, or its recipe is wrong.
        UsageError: If ``name`` cannot be the name of a study.
    """
    location = locate(storage, home)
    name, recipe = studies.resolve(location, search, name)
    return Study(name, recipe, location, _data_dir(data_dir))


def load_study(
    name: str, *, storage: str | None = None, home: Path | None = None, data_dir: Path | None = None
) -> Study:
    """Open a study that exists. The arguments are those of :func:`open_study`.

    Raises:
        UsageError: If there is no study of this name.
    """
    location = locate(storage, home)
    with studies.existing(location, name) as stored:
        return Study(name, stored.recipe, location, _data_dir(data_dir))


def list_studies(*, storage: str | None = None, home: Path | None = None) -> list[StudySummary]:
    """Return a summary of every study, sorted by name; an empty list if there is no database."""
    return overview.list_studies(locate(storage, home))


def _data_dir(given: Path | None) -> Path | None:
    named = os.environ.get("TUNER_DATA")
    return given or (Path(named) if named else None)

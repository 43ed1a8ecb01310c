"""The Python interface, on which the command line is built: open a study, run it, export its model."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuner_storage import locate

from tuner import studies
from tuner.config.recipe import Recipe, TaskSetting
from tuner.config.tables import PrecisionSetting, by_table
from tuner.data.schema import DataSchema
from tuner.data.settle import undescribed
from tuner.data.training_rows import encoded_rows
from tuner.environment import check_backend
from tuner.errors import StorageError, UsageError
from tuner.jobs import TrainerSetup
from tuner.paths import StrPath, user_path
from tuner.results import overview
from tuner.results.exported import ensemble_of, refit_of
from tuner.results.overview import StudySummary
from tuner.results.reader import StudyReader
from tuner.results.study_trials import StudyTrials
from tuner.run.progress import Progress, Silent
from tuner.searches import resolve
from tuner.table_search import TableOptions

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.table_dataset import TableDataset
    from tuner.delivery.manifest import Manifest
    from tuner.results.reproduce import Reproduction
    from tuner.results.retrain import OnEpoch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one run.

    ``stopped_by`` is ``None`` if the run did everything that was planned. If it ended early, it is the stop reason:
    ``"timeout"``, ``"target"``, ``"plateau"``, ``"failures"`` (most of the last trials failed), ``"stop"`` or the
    name of a signal.
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
        target: float | Literal["none"] | None = None,
        plateau: int | Literal["none"] | None = None,
        max_parameters: int | Literal["none"] | None = None,
        learn_from: Sequence[str] | None = None,
        seed: int | None = None,
        confirm: int | None = None,
        seeds: int | None = None,
        refit: bool | None = None,
        ensemble: int | None = None,
        sampler: str | None = None,
        pruner: str | None = None,
        threshold: float | None = None,
        validation: float | None = None,
        precision: PrecisionSetting | None = None,
        objectives: str | Sequence[str] | None = None,
        workers: int | None = None,
        device: Literal["auto", "cpu", "gpu"] = "auto",
        executor: str = "local",
        ray: str | None = None,
        gpus_per_worker: float = 0.0,
        fresh: bool = False,
        take_over: bool = False,
        test_all: bool = False,
        progress: Progress | None = None,
    ) -> RunResult:
        """Search until the budget is spent. If the study exists already, continue it.

        >>> study.run(trials=40, timeout="10m")  # doctest: +SKIP

        Every result is stored as soon as it is there. Ctrl-C ends the run after the current epochs. Nothing is lost:
        the next call of ``run`` continues the study.

        A new study takes the settings that are ``None`` from the recipe. A study that exists keeps those of
        :data:`tuner.config.kept.KEPT`, and takes the others from the recipe; if the recipe has other values for what is
        kept, one warning names them. ``"none"`` takes away ``timeout``, ``trial_timeout``, ``target``, ``plateau`` or
        ``max_parameters``. A study without a trial takes any settings.

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
            ensemble: At the end, select an ensemble of this many of the best models; 0 selects none.
            sampler: ``auto``, ``tpe``, ``gp``, ``random``, ``qmc``, ``cmaes``, ``grid`` or ``nsga2``. When the study
                begins, ``auto`` becomes ``grid`` if there are enough trials for every configuration, else ``tpe``.
            pruner: ``asha``, ``hyperband`` or ``none``, or one of Optuna's pruners: ``median``, ``percentile``,
                ``sha``, ``optuna-hyperband``, ``patient`` or ``threshold``.
            threshold: The ``threshold`` pruner prunes trials with a worse value than this.
            validation: Size of the validation split: a share of the training rows if below 1, else a number of rows.
            precision: ``float32``, or ``bfloat16`` for the products of large layers in training. When the study begins,
                ``auto`` becomes the faster one for images, and ``float32`` for all other data.
            objectives: Names of one to three objectives, such as ``"val_accuracy,parameters"`` or a list. See
                :class:`tuner.config.objectives.Objective`.
            workers: Number of processes that train at the same time; ``None`` starts one per CPU core, at most 8.
            device: Where to train. ``auto`` uses a GPU if there is one, ``gpu`` fails if there is none.
            executor: ``local`` trains in worker processes, ``inline`` in this process, ``ray`` on a Ray cluster. Other
                packages can provide more: see :mod:`tuner.executors.registry`.
            ray: Address of a Ray cluster, and the choice of that executor: ``auto`` for the one that this machine
                belongs to, ``local`` for a new one on this machine, or ``ray://host:10001``. ``workers`` is then the
                number of trainers; ``None`` starts as many as fit, and follows the cluster as it grows and shrinks.
            gpus_per_worker: GPUs of each trainer on a cluster; 0.25 shares a GPU among four.
            fresh: Delete the study first, if it exists.
            take_over: If another run holds the lease, wait until the lease expires. Use this if that run hangs or its
                machine is gone.
            test_all: At the end, evaluate all kept models on the test split, not only the winner.
            progress: Receives the plan, the state of the run several times per second, and the end of each trial.

        Returns:
            Whether the run ended early, and why.

        Raises:
            RecipeError: If a setting is not possible, or differs from what the study began with and cannot change. The
                hint is a command that keeps the results.
            UsageError: If a study in ``learn_from`` does not exist, or the backend of Keras cannot be used.
            DataError: If the data is missing, cannot be split, or has changed since the study began.
            RunError: If another run holds the lease, no trainer can start, no trial completes, or the sampler
                proposes only configurations that are too large.
            StorageError: If the database cannot be used.
        """
        from tuner.executors.fork_server import started_early

        check_backend()
        overrides = by_table(
            trials=trials, epochs=epochs, timeout=timeout, retries=retries, trial_timeout=trial_timeout, target=target,
            plateau=plateau, max_parameters=max_parameters, learn_from=learn_from, seed=seed, confirm=confirm,
            seeds=seeds, refit=refit, ensemble=ensemble, sampler=sampler, pruner=pruner, threshold=threshold,
            validation=validation, precision=precision, objectives=objectives,
        )  # fmt: skip
        recipe = self.recipe.changed(**overrides)  # raises if a setting is wrong, before anything is created
        with started_early(wanted=executor == "local" and ray is None):
            from tuner.executors.registry import make_executor
            from tuner.executors.resources import Resources
            from tuner.run.session import prepare, run_search

            data = self.load_data(fresh=fresh)
            _log.debug("the data are loaded")
            prepared = prepare(self.name, self.location, recipe, overrides, data, search=self.search, fresh=fresh)
            recipe, schema = prepared.recipe, prepared.data.schema
            with encoded_rows(data, schema, recipe.validation, recipe.split_seed) as rows:
                setup = self._setup(recipe, data, device, schema, rows)
                self.forget_data()
                del data
                resources = Resources(workers, None, ray, gpus_per_worker)
                # A run that is refused before its trainers start leaves no connection to a cluster.
                with closing(make_executor("ray" if ray else executor, setup, resources)) as trainers:
                    stopped_by = run_search(
                        self.name,
                        self.location,
                        prepared,
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
        folder: StrPath,
        *,
        trial: int | None = None,
        formats: Sequence[str] = ("keras", "saved-model"),
        force: bool = False,
        refit: bool | None = None,
        ensemble: bool | None = None,
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
            ensemble: ``True`` takes the average of the models that the run selected, ``False`` a single model. ``None``
                takes the average if neither ``trial`` nor ``refit`` is given and there is one that is better.
            on_step: Receives a short text at the beginning of each step.

        Raises:
            UsageError: If there is no such trial, model or refit, or ``folder`` exists and ``force`` is not set.
            DataError: If the study began with a version that stored nothing of its data, and the data is missing.
            RunError: If a format cannot be written, or its predictions differ from those of the original model.
        """
        from tuner.delivery.export_trial import export_ensemble, export_trial

        if ensemble and (trial is not None or refit):
            raise UsageError("an ensemble is neither a trial nor a refit", hint="ask for one of them")
        chosen = self.best() if trial is None else self.trial(trial)
        with studies.existing(self.location, self.name) as stored:
            if refit is None:
                refit = trial is None and not ensemble and refit_of(stored, chosen) is not None
            data = studies.data_of(stored) or undescribed(self.load_data())
            if ensemble is None and trial is None and not refit:
                ensemble = ensemble_of(stored, chosen) is not None
            if ensemble:
                return export_ensemble(stored, chosen, data, user_path(folder), formats, force=force, on_step=on_step)
            return export_trial(
                stored, chosen, data, user_path(folder), formats, force=force, on_step=on_step, refit=refit
            )

    def reproduce(
        self,
        trial: int | None = None,
        *,
        workers: int | None = None,
        device: Literal["auto", "cpu", "gpu"] | None = None,
        executor: str = "local",
        restore: bool = False,
        on_epoch: OnEpoch = lambda *_: None,
    ) -> Reproduction:
        """Train a finished trial again and compare every epoch. The study may be running.

        Args:
            trial: Number of the trial; ``None`` takes the winner.
            workers: Train with as many threads as one of this number of workers has; ``None`` takes the number of
                workers of the trial's run.
            device: Where to train; ``None`` takes the CPU if the trial was trained on it, else ``auto``.
            executor: ``local`` trains in a worker process, ``inline`` in this process with the threads that it has.
            restore: If the model of the trial is missing or damaged and the trial is reproduced, keep the new model.
                Nothing is written otherwise.
            on_epoch: Receives each epoch (0-based), with its stored metrics and the new ones.

        Raises:
            UsageError: If there is no such trial, it has not ended, none of its epochs is stored, or there is no model
                to restore.
            DataError: If the data is missing, or has changed since the study began.
            RunError: If no trainer can start, or it dies.
        """
        from tuner.executors.registry import make_executor
        from tuner.executors.resources import Resources
        from tuner.results.reproduce import compare
        from tuner.results.restore import check_restorable, keep_model
        from tuner.results.retrain import read_finished, train_again

        check_backend()
        with studies.existing(self.location, self.name) as stored:
            recipe = stored.recipe
            finished = read_finished(stored, self.best() if trial is None else self.trial(trial))
            if restore:
                check_restorable(stored, finished.trial)
            kept = studies.data_of(stored)
        data = self.load_data()
        finished.check_rows(data.fingerprint)
        schema = (kept or undescribed(data)).schema
        with (
            encoded_rows(data, schema, recipe.validation, recipe.split_seed) as rows,
            tempfile.TemporaryDirectory(prefix="tuner-reproduce-") as folder,
        ):
            setup = self._setup(recipe, data, device or finished.device, schema, rows)
            trainer = make_executor(executor, setup, Resources(1, finished.threads(workers)))
            again = train_again(finished, trainer, Path(folder), on_epoch)
            reproduction = compare(finished, again)
            if restore and reproduction.reproduced and again.model is not None:
                with studies.existing(self.location, self.name) as stored:
                    keep_model(stored, finished.trial.number, again.model)
                reproduction = replace(reproduction, restored=True)
        return reproduction

    def _decorate(self, stored: studies.StoredStudy) -> None:
        """Update what the dashboard shows. A failure is only logged: no result depends on it."""
        from tuner.dashboard.decorate import decorate

        if stored.is_gone:
            return
        try:
            # A run has most of the trials in Optuna's cache.
            decorate(stored, StudyTrials(stored, stored.study.get_trials(deepcopy=False)).all())
        except Exception:  # noqa: BLE001 - must not hide an error of the run itself
            with suppress(StorageError):
                if stored.is_gone:  # deleted meanwhile: the run says so itself
                    return
            _log.warning("the dashboard's notes could not be written; the next run writes them")
            _log.debug("the dashboard's notes", exc_info=True)

    def _setup(
        self, recipe: Recipe, data: Dataset | TableDataset, device: str, schema: DataSchema, rows: Path | None
    ) -> TrainerSetup:
        from tuner.data.lookup import path_of

        return TrainerSetup(
            data=path_of(recipe.data, data),
            data_dir=None if self.data_dir is None else self.data_dir.absolute(),
            validation=recipe.validation,
            split_seed=recipe.split_seed,
            metric=recipe.objective.metric,
            maximize=recipe.objective.maximize,
            device=device,
            precision=recipe.precision,
            fingerprint=data.fingerprint,
            schema=schema,
            rows=rows,
        )


def open_study(
    search: Any,
    *,
    name: str | None = None,
    storage: StrPath | None = None,
    home: StrPath | None = None,
    artifacts: str | None = None,
    data_dir: StrPath | None = None,
    target: str | None = None,
    task: TaskSetting | None = None,
    columns: Mapping[str, str] | None = None,
    drop: Sequence[str] | None = None,
    header: bool | None = None,
    test: float | StrPath | None = None,
    group: str | None = None,
    time: str | None = None,
) -> Study:
    """Open the study of a search, whether it exists already or not. Writes nothing.

    >>> open_study("houses.csv", target="price").run(timeout="5m")  # doctest: +SKIP

    Args:
        search: A built-in search (``tuner space list`` shows them), a TOML file, the name of a study that exists, or
            data: a file, or a frame of polars or pandas. For data it is the default search, named after the file.
        name: Name of the study; ``None`` takes the recipe's, and ``frame`` for a frame.
        storage: URL of the database; ``None`` takes ``TUNER_STORAGE``, else ``studies.db`` in ``home``.
        home: Folder of the database and the models; ``None`` takes ``TUNER_HOME``, else ``.tuner``.
        artifacts: ``s3://bucket/prefix`` keeps the models of a new database in S3, which the database then remembers;
            ``None`` takes ``TUNER_ARTIFACTS``, else ``home``.
        data_dir: Folder that is searched for data sets; ``None`` takes ``TUNER_DATA``.
        target: The column of a table to predict. This and the following arguments are for files of tables; a study
            that exists keeps what it began with. See :class:`tuner.config.table_settings.TableSettings`.
        task: ``classification`` or ``regression``; ``auto`` decides by the values of the target.
        columns: Kinds of columns that you know better, by name, such as ``{"zip": "category"}``.
        drop: Columns to leave out.
        header: Whether the first line of a CSV file holds names; ``None`` finds it out.
        test: A file with the test rows, or the share of the rows that is held out for the test.
        group: A column whose values are never on both sides of a split.
        time: A column by which rows are sorted before they are split, so that the last ones test.

    Paths are text or path objects; ``~`` stands for the home folder.

    Raises:
        RecipeError: If there is no such search, or its recipe is wrong.
        DataError: If a data file is missing or damaged.
        UsageError: If ``name`` cannot be the name of a study.
    """
    location = locate(storage, home, artifacts)
    if isinstance(search, os.PathLike):
        search = os.fspath(search)
    folder = _data_dir(data_dir)
    options = TableOptions(
        target=target, task=task, columns=columns, drop=drop, header=header,
        test=test if test is None or isinstance(test, float) else os.fspath(test), group=group, time=time,
    )  # fmt: skip
    resolved = resolve(location, search, name, folder, options)
    source = search if isinstance(search, str) else resolved.name
    return Study(resolved.name, resolved.recipe, location, folder, search=source, data=resolved.data)


def load_study(
    name: str, *, storage: StrPath | None = None, home: StrPath | None = None, data_dir: StrPath | None = None
) -> Study:
    """Open a study that exists. The arguments are those of :func:`open_study`.

    Raises:
        UsageError: If there is no study of this name.
    """
    location = locate(storage, home)
    return Study(name, studies.existing_recipe(location, name), location, _data_dir(data_dir))


def list_studies(*, storage: StrPath | None = None, home: StrPath | None = None) -> list[StudySummary]:
    """Return a summary of every study, sorted by name; an empty list if there is no database."""
    return overview.list_studies(locate(storage, home))


def _data_dir(given: StrPath | None) -> Path | None:
    named = given or os.environ.get("TUNER_DATA")
    return user_path(named) if named else None

"""Write a study as an archive: one zip file with a manifest and the kept models."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from storage.transfer import read_rows
from tuner.archive.manifest import MANIFEST, REFIT, ArchivedStudy, ArchivedTrial, ArchiveManifest, carried, model_name
from tuner.errors import RunError, UsageError
from tuner.files import atomic_path, is_whole
from tuner.records import Outcome
from tuner.studies import StoredStudy

_LEFT = "left behind by an archive"
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same study makes the same bytes


@dataclass(frozen=True, slots=True)
class Written:
    """What an archive holds. ``left_out`` are the trials whose model is missing or damaged on disk.

    ``refit`` tells whether the refit is in it; ``False`` if that is missing or damaged, ``None`` if the study has none.
    """

    study: str
    trials: int
    models: int
    size: int  # bytes
    left_out: tuple[int, ...]
    refit: bool | None = None


def write_archive(found: StoredStudy, file: Path, *, force: bool = False) -> Written:
    """Write a study with its models; a run of it may go on, whose trials that did not end are queued in the archive.

    Raises:
        UsageError: If ``file`` exists and ``force`` is not set.
        RunError: If it cannot be written.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder", hint=f"name a file in it: {file / 'study.zip'}")
    if file.exists() and not force:
        raise UsageError(f"{file} exists", hint="name another file, or replace it with --force")
    manifest = describe(found)
    rows = read_rows(found.store.database, found.record.id)
    sources = {model_name(row["trial_number"]): row["path"] for row in rows["models"]}
    sources.update((REFIT, row["path"]) for row in rows["refits"])
    whole = set()
    try:
        with atomic_path(file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for model in manifest.files:
                source = found.store.artifacts.path(sources.get(model.path, model.path))
                if is_whole(source, size=model.size, sha256=model.sha256):
                    _add(archive, model.path, source)
                    whole.add(model.path)
            models = tuple(model for model in manifest.models if model.path in whole)
            refit = manifest.refit if REFIT in whole else None
            complete = manifest.model_copy(update={"models": models, "refit": refit})
            archive.writestr(zipfile.ZipInfo(MANIFEST, _MOMENT), complete.to_json(), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise RunError(f"the archive {file} cannot be written: {error.strerror or error}") from error
    return Written(
        manifest.study.name,
        trials=len(manifest.trials),
        models=len(models),
        size=file.stat().st_size,
        left_out=tuple(sorted(model.trial_number for model in manifest.models if model.path not in whole)),
        refit=None if manifest.refit is None else refit is not None,
    )


def describe(found: StoredStudy) -> ArchiveManifest:
    """Return the manifest of a study as it is now."""
    trials = found.study.get_trials(deepcopy=False)  # first: rows of ours that come later are left out
    rows = read_rows(found.store.database, found.record.id)
    ended = {trial.number for trial in trials if trial.state.is_finished()}
    complete = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
    known = range(len(trials))
    study, record = found.study, found.record
    system_attrs = study._storage.get_study_system_attrs(study._study_id)  # noqa: SLF001 - Optuna has no other way
    raw = {
        "study": ArchivedStudy(
            name=study.study_name,
            direction="maximize" if found.recipe.objective.maximize else "minimize",
            recipe=dict(record.recipe),
            data_fingerprint=record.data_fingerprint,
            environment=dict(record.environment),
            created=record.created,
            user_attrs=study.user_attrs,
            system_attrs=carried(system_attrs),
        ),
        "trials": [_trial(trial) for trial in trials],
        "epochs": [row for row in rows["epochs"] if row["trial_number"] in ended],
        "attempts": [_attempt(row, ended) for row in rows["attempts"] if row["trial_number"] in known],
        "runs": rows["runs"],
        "models": [
            {**row, "path": model_name(row["trial_number"])}
            for row in rows["models"]
            if row["trial_number"] in complete
        ],
        "refit": next(({**row, "path": REFIT} for row in rows["refits"] if row["trial_number"] in complete), None),
    }
    return ArchiveManifest.model_validate(raw)


def _trial(trial: FrozenTrial) -> ArchivedTrial:
    ended = trial.state.is_finished()
    values: Sequence[float] | None = trial.values if ended else None
    return ArchivedTrial(
        number=trial.number,
        state=trial.state.name if ended else "WAITING",
        values=None if values is None else tuple(values),
        started=trial.datetime_start if ended else None,
        completed=trial.datetime_complete,
        params=trial.params,
        distributions={name: json.loads(distribution_to_json(each)) for name, each in trial.distributions.items()},
        user_attrs=trial.user_attrs,
        system_attrs=carried(trial.system_attrs),
        intermediate=trial.intermediate_values if ended else {},
    )


def _attempt(row: Mapping[str, Any], ended: set[int]) -> dict[str, Any]:
    """Return an attempt; that at a trial which begins anew elsewhere has no result."""
    if row["trial_number"] in ended or row["outcome"] == Outcome.INTERRUPTED:
        return dict(row)
    return {**row, "outcome": str(Outcome.INTERRUPTED), "reason": _LEFT, "ended": row["ended"] or row["started"]}


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    with source.open("rb") as read, archive.open(zipfile.ZipInfo(name, _MOMENT), "w") as written:
        shutil.copyfileobj(read, written)

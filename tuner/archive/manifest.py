"""The manifest of an archive: a whole study as JSON. Nothing in it is ever executed or unpickled."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuner.errors import UsageError
from tuner.records import ParamValue

MANIFEST = "manifest.json"
VERSIONS = (1, 2)  # 2 may hold a refit; an older tuner is told to upgrade, not that it knows no such key
REFIT = "models/refit.keras"
EXPECTED = "expected a file written by `tuner study export-archive NAME FILE`"

Name = Annotated[str, Field(max_length=200)]
Number = Annotated[int, Field(ge=0)]
# CMA-ES keeps its state as a pickle, which would run code when it is read; without it, it starts from the trials.
# The parents of a generation are rows of one database.
_LEFT_OUT = re.compile(r"(cma|sepcma|cmawm):.*|\w+Sampler:parent:.*", re.DOTALL)
_SPECIAL = "$float"  # JSON has no word for these
_FLOATS = ("nan", "inf", "-inf")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArchivedStudy(_Table):
    """What the study was started with, and what Optuna notes of it."""

    name: Name
    direction: Literal["maximize", "minimize"]
    recipe: dict[str, Any]
    data_fingerprint: str = Field(pattern="^[0-9a-f]{64}$")
    environment: dict[str, Any]
    created: datetime  # UTC
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]


class ArchivedTrial(_Table):
    """One of Optuna's trials; one that did not end is queued again."""

    number: Number
    state: Literal["COMPLETE", "PRUNED", "FAIL", "WAITING"]
    values: tuple[float, ...] | None
    started: datetime | None
    completed: datetime | None
    params: dict[str, ParamValue]
    distributions: dict[str, dict[str, Any]]  # as Optuna writes them in JSON
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    intermediate: dict[int, float]


class ArchivedEpoch(_Table):
    """See :class:`storage.tables.EpochRow`."""

    trial_number: Number
    epoch: Number
    metrics: dict[str, Any]
    seconds: float


class ArchivedAttempt(_Table):
    """See :class:`storage.tables.AttemptRow`."""

    trial_number: Number
    attempt: Number
    owner: Name
    started: datetime
    ended: datetime | None
    outcome: Annotated[str, Field(max_length=20)] | None
    reason: str | None
    device: Name | None
    first_epoch: int
    traceback: str | None


class ArchivedRun(_Table):
    """See :class:`storage.tables.RunRow`."""

    owner: Name
    workers: int
    device: Name | None
    started: datetime
    ended: datetime | None
    stopped_by: Annotated[str, Field(max_length=20)] | None
    timing: dict[str, Any] | None


class ArchivedModel(_Table):
    """See :class:`storage.tables.ModelRow`; ``path`` is that in the archive."""

    trial_number: Number
    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    test: dict[str, Any] | None

    @model_validator(mode="after")
    def _has_the_one_path(self) -> Self:
        if self.path != model_name(self.trial_number):
            raise ValueError(f"the model of trial {self.trial_number} must be {model_name(self.trial_number)}, "
                             f"got {self.path!r}")  # fmt: skip
        return self


class ArchivedRefit(_Table):
    """See :class:`storage.tables.RefitRow`; ``path`` is that in the archive."""

    trial_number: Number
    epochs: Number
    rows: Number
    path: Literal["models/refit.keras"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    metrics: dict[str, Any]
    seconds: float
    created: datetime
    test: dict[str, Any] | None


class ArchiveManifest(_Table):
    """Everything about a study but the bytes of its models."""

    archive_version: Literal[1, 2] = 2
    study: ArchivedStudy
    trials: tuple[ArchivedTrial, ...]
    epochs: tuple[ArchivedEpoch, ...]
    attempts: tuple[ArchivedAttempt, ...]
    runs: tuple[ArchivedRun, ...]
    models: tuple[ArchivedModel, ...]
    refit: ArchivedRefit | None = None

    @property
    def refits(self) -> tuple[ArchivedRefit, ...]:
        """The refit, where there is one."""
        return () if self.refit is None else (self.refit,)

    @property
    def files(self) -> tuple[ArchivedModel | ArchivedRefit, ...]:
        """Every file that goes with the manifest."""
        return (*self.models, *self.refits)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if [trial.number for trial in self.trials] != list(range(len(self.trials))):
            raise ValueError("the trials must be numbered 0, 1, 2 and so on")
        keys: dict[str, list[tuple[int, ...]]] = {
            "epoch": [(row.trial_number, row.epoch) for row in self.epochs],
            "attempt": [(row.trial_number, row.attempt) for row in self.attempts],
            "model": [(row.trial_number,) for row in self.models],
            "refit": [(row.trial_number,) for row in self.refits],
        }
        for kind, found in keys.items():
            for key, count in Counter(found).items():
                if count > 1 or key[0] >= len(self.trials):
                    what = "twice" if count > 1 else "of a trial that is not there"
                    raise ValueError(f"{kind} {' '.join(map(str, key))} is {what}")
        return self

    def to_json(self) -> str:
        """Return the manifest as JSON that any reader accepts: numbers that JSON has no word for are spelled out."""
        return json.dumps(_spell(self.model_dump()), ensure_ascii=False, allow_nan=False, indent=1)


def parse_manifest(text: bytes, source: str) -> ArchiveManifest:
    """Return a manifest that fits together.

    Raises:
        UsageError: If it is of another version, or not what an export writes.
    """
    try:
        raw = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8
        raise UsageError(f"the manifest of {source} is not JSON: {error}", hint=EXPECTED) from None
    version = raw.get("archive_version") if isinstance(raw, dict) else None
    if version not in VERSIONS:
        raise UsageError(
            f"{source} has archive_version {version!r}, this tuner reads versions {' and '.join(map(str, VERSIONS))}",
            hint="upgrade tuner: pip install --upgrade tuner" if isinstance(version, int) else EXPECTED,
        )
    try:
        return ArchiveManifest.model_validate(_unspell(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise UsageError(f"{source}: {where}: {first['msg']}", hint=EXPECTED) from None


def model_name(number: int) -> str:
    """Return the name of a model in an archive."""
    return f"models/trial-{number:05d}.keras"


def carried(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of Optuna's system attributes that are data, and mean the same in another database."""
    return {key: value for key, value in attributes.items() if not _LEFT_OUT.fullmatch(key)}


def _spell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_SPECIAL: str(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _spell(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_spell(each) for each in value]
    return value


def _unspell(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_SPECIAL} and value[_SPECIAL] in _FLOATS:
            return float(value[_SPECIAL])
        return {key: _unspell(each) for key, each in value.items()}
    return [_unspell(each) for each in value] if isinstance(value, list) else value


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not JSON")

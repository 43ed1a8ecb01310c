"""The manifest of an archive: a study as JSON. Nothing in it is executed or unpickled."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from tuner_storage.trial_attributes import IDENTITY

from tuner.data.settle import settled
from tuner.distribution import UPGRADE
from tuner.documents import parse_json
from tuner.errors import UsageError
from tuner.evaluation.assessment import Assessment
from tuner.evaluation.evaluation import Evaluation
from tuner.records import ParamValue

MANIFEST = "manifest.json"
# 2 may hold a refit, 3 what the study stores of its data, 4 what was measured of its winner and of its ensemble,
# 5 what figures show of the test rows.
# An older tuner refuses the version and asks for an upgrade.
VERSIONS = (1, 2, 3, 4, 5)
REFIT = "models/refit.keras"
MOST_TRIALS = 20_000
LARGEST = 64 * 2**20  # bytes of a manifest; enough for three thousand trials of a hundred epochs
EXPECTED = "expected a file written by `tuner study export-archive NAME FILE`"

Name = Annotated[str, Field(max_length=200)]
Number = Annotated[int, Field(ge=0)]
# The state of CMA-ES is a pickle, and loading a pickle can run code. Without the state, it starts from the trials.
# The parents of a generation are row numbers of one database. The identity of a study is that of a row in it.
_NOT_PORTABLE = re.compile(rf"(cma|sepcma|cmawm):.*|\w+Sampler:parent:.*|{re.escape(IDENTITY)}", re.DOTALL)
_SPECIAL = "$float"  # the key of an object that stands for one of _FLOATS, which JSON cannot represent
_FLOATS = ("nan", "inf", "-inf")


def _checked_evaluation(facts: dict[str, Any]) -> dict[str, Any]:
    Evaluation.model_validate(facts)
    return facts


ArchivedEvaluation = Annotated[dict[str, Any], AfterValidator(_checked_evaluation)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArchivedStudy(_Table):
    """The settings of the study, and Optuna's attributes of it."""

    name: Name
    direction: Literal["maximize", "minimize"]
    recipe: dict[str, Any]
    data_fingerprint: str = Field(pattern="^[0-9a-f]{64}$")
    environment: dict[str, Any]
    created: datetime  # UTC
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]


class ArchivedData(_Table):
    """See :class:`tuner_storage.tables.DataRow`."""

    description: dict[str, Any]
    sample: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        settled(self.description, self.sample)
        return self


class ArchivedTrial(_Table):
    """A trial of Optuna. A trial that has not ended is stored as waiting."""

    number: Number
    state: Literal["COMPLETE", "PRUNED", "FAIL", "WAITING"]
    values: tuple[float, ...] | None
    started: datetime | None
    completed: datetime | None
    params: dict[str, ParamValue]
    distributions: dict[str, dict[str, Any]]  # in Optuna's JSON format
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    intermediate: dict[int, float]


class ArchivedEpoch(_Table):
    """See :class:`tuner_storage.tables.EpochRow`."""

    trial_number: Number
    epoch: Number
    metrics: dict[str, Any]
    seconds: float


class ArchivedAttempt(_Table):
    """See :class:`tuner_storage.tables.AttemptRow`."""

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
    """See :class:`tuner_storage.tables.RunRow`."""

    owner: Name
    workers: int
    device: Name | None
    started: datetime
    ended: datetime | None
    stopped_by: Annotated[str, Field(max_length=20)] | None
    timing: dict[str, Any] | None


class ArchivedModel(_Table):
    """See :class:`tuner_storage.tables.ModelRow`; ``path`` is the name in the archive."""

    trial_number: Number
    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    test: dict[str, Any] | None
    evaluation: ArchivedEvaluation | None = None
    outputs: str | None = None

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.path != model_name(self.trial_number):
            raise ValueError(f"the model of trial {self.trial_number} must be {model_name(self.trial_number)}, "
                             f"got {self.path!r}")  # fmt: skip
        return self


class ArchivedRefit(_Table):
    """See :class:`tuner_storage.tables.RefitRow`; ``path`` is the name in the archive."""

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
    evaluation: ArchivedEvaluation | None = None
    outputs: str | None = None


class ArchivedAssessment(_Table):
    """See :class:`tuner_storage.tables.AssessmentRow`."""

    facts: dict[str, Any]
    created: datetime

    @field_validator("facts")
    @classmethod
    def _check_facts(cls, facts: dict[str, Any]) -> dict[str, Any]:
        Assessment.model_validate(facts)
        return facts


class ArchiveManifest(_Table):
    """The contents of ``manifest.json``: a study without the files of its models."""

    archive_version: Literal[1, 2, 3, 4, 5] = 5
    study: ArchivedStudy
    trials: tuple[ArchivedTrial, ...] = Field(max_length=MOST_TRIALS, fail_fast=True)
    epochs: tuple[ArchivedEpoch, ...] = Field(fail_fast=True)
    attempts: tuple[ArchivedAttempt, ...] = Field(fail_fast=True)
    runs: tuple[ArchivedRun, ...] = Field(fail_fast=True)
    models: tuple[ArchivedModel, ...] = Field(max_length=MOST_TRIALS, fail_fast=True)
    refit: ArchivedRefit | None = None
    data: ArchivedData | None = None
    assessment: ArchivedAssessment | None = None

    @property
    def refits(self) -> tuple[ArchivedRefit, ...]:
        """The refit as a sequence of one, or empty if there is none."""
        return () if self.refit is None else (self.refit,)

    def rows(self, table: str) -> Sequence[_Table]:
        """Return the rows of one of :data:`tuner_storage.transfer.TABLES`."""
        if table == "data":
            return () if self.data is None else (self.data,)
        if table == "assessments":
            return () if self.assessment is None else (self.assessment,)
        rows: Sequence[_Table] = getattr(self, table)
        return rows

    @property
    def files(self) -> tuple[ArchivedModel | ArchivedRefit, ...]:
        """The models and the refit: every other file of the archive."""
        return (*self.models, *self.refits)

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        if [trial.number for trial in self.trials] != list(range(len(self.trials))):
            raise ValueError("the trials must be numbered 0, 1, 2 and so on")
        keys: dict[str, list[tuple[int, ...]]] = {
            "epoch": [(row.trial_number, row.epoch) for row in self.epochs],
            "attempt": [(row.trial_number, row.attempt) for row in self.attempts],
            "model": [(row.trial_number,) for row in self.models],
            "refit": [(row.trial_number,) for row in self.refits],
        }
        for kind, numbers in keys.items():
            for key, count in Counter(numbers).items():
                if count > 1 or key[0] >= len(self.trials):
                    problem = "is there twice" if count > 1 else "is of a trial that does not exist"
                    raise ValueError(f"{kind} {' '.join(map(str, key))} {problem}")
        return self

    def to_json(self) -> str:
        """Return the manifest as standard JSON; NaN and infinities are encoded as objects."""
        return json.dumps(_encode(self.model_dump()), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse_manifest(text: bytes, source: str) -> ArchiveManifest:
    """Return the manifest after checking it.

    Raises:
        UsageError: If the version is unknown, or the contents are invalid or contradict each other.
    """
    try:
        raw = parse_json(text, object_hook=_decode, parse_constant=_refuse_constant)
    except ValueError as error:  # invalid JSON or UTF-8
        raise UsageError(f"the manifest of {source} cannot be read: {error}", hint=EXPECTED) from None
    version = raw.get("archive_version") if isinstance(raw, dict) else None
    if version not in VERSIONS:
        raise UsageError(
            f"{source} has archive_version {version!r}, this tuner reads versions {VERSIONS[0]} to {VERSIONS[-1]}",
            hint=f"upgrade tuner: {UPGRADE}" if isinstance(version, int) else EXPECTED,
        )
    try:
        return ArchiveManifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise UsageError(f"{source}: {where}: {first['msg']}", hint=EXPECTED) from None


def model_name(number: int) -> str:
    """Return the name of a model in an archive."""
    return f"models/trial-{number:05d}.keras"


def portable_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes of Optuna without pickles, and without what refers to rows of one database."""
    return {key: value for key, value in attributes.items() if not _NOT_PORTABLE.fullmatch(key)}


def _encode(value: Any) -> Any:
    """Replace values that JSON cannot represent."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_SPECIAL: str(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _encode(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_encode(member) for member in value]
    return value


def _decode(value: dict[str, Any]) -> Any:
    """Restore an object that stands for a number, see :func:`_encode`. Times stay text."""
    return float(value[_SPECIAL]) if value.keys() == {_SPECIAL} and value[_SPECIAL] in _FLOATS else value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")

"""Events on their way from a worker to the coordinator: JSON with a strict schema.

A trainer may run foreign code, and the coordinator holds the credentials of the database. So the coordinator unpickles
nothing that a worker sends. It also accepts only events about the worker's own job and the files of that job.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from tuner.events import (
    AssessEnd,
    EpochEnd,
    Event,
    ModelFile,
    RefitEnd,
    TestEnd,
    TrainerReady,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)
from tuner.jobs import AssessJob, CheckpointFile, Job, RefitJob, TestJob, TrialJob

LARGEST = 4 * 1024**2  # bytes of a message; a traceback of TensorFlow has 100 kB
_KINDS = {kind.__name__.encode(): kind for kind in get_args(Event) if kind is not WorkerLost}
_ENDS = {
    TrialJob: (EpochEnd, TrialEnd),
    RefitJob: (EpochEnd, RefitEnd),
    TestJob: (TestEnd,),
    AssessJob: (AssessEnd,),
}


class MessageError(ValueError):
    """A worker sent something else than an event about its own job."""


def write_event(event: Event) -> bytes:
    """Return an event as a message: its kind, a line end, and its fields as JSON."""
    name = type(event).__name__.encode()
    try:
        fields = _schema(_KINDS[name]).dump_json((event,))
    except PydanticSerializationError:  # a message of the system may name a file whose name is no Unicode
        texts = {field: value for field in event.__slots__ if isinstance(value := getattr(event, field), str)}
        readable: dict[str, Any] = {field: text.encode(errors="replace").decode() for field, text in texts.items()}
        fields = _schema(_KINDS[name]).dump_json((replace(event, **readable),))
    return name + b"\n" + fields


def read_event(message: bytes, job: Job | None) -> Event:
    """Return the event of a message.

    Args:
        message: What a worker sent.
        job: The job that the worker does, or ``None``.

    Raises:
        MessageError: If the message is no event, or not about this job or its files.
    """
    name, _, fields = message.partition(b"\n")
    kind = _KINDS.get(name)
    if kind is None:
        raise MessageError("a message of an unknown kind")
    try:
        event: Event = _schema(kind).validate_json(fields)[0]
    except ValidationError as error:
        raise MessageError(f"a malformed {kind.__name__}: {error.error_count()} errors") from None
    if not isinstance(event, TrainerReady | TrainerUnavailable):
        _check_job(event, job)
    return event


@cache
def _schema(kind: type[Any]) -> TypeAdapter[Any]:
    # A tuple of one: pydantic takes settings for a tuple of dataclasses, but not for a dataclass alone.
    config = ConfigDict(strict=True, extra="forbid", ser_json_inf_nan="constants")
    return TypeAdapter(tuple[kind], config=config)  # type: ignore[valid-type]


def _check_job(event: Any, job: Job | None) -> None:
    if job is None or event.number != job.number or not isinstance(event, _ENDS[type(job)]):
        raise MessageError(f"a {type(event).__name__} of a job that it does not have")
    model: ModelFile | None = getattr(event, "model", None)
    checkpoint: CheckpointFile | None = getattr(event, "checkpoint", None)
    if model is not None and not (isinstance(job, TrialJob | RefitJob) and model.path == job.model_path):
        raise MessageError(f"a {type(event).__name__} with a foreign file")
    if checkpoint is not None and not (
        isinstance(job, TrialJob) and checkpoint.path == job.checkpoint_path(checkpoint.epochs)
    ):
        raise MessageError(f"a {type(event).__name__} with a foreign file")

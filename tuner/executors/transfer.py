"""Moves the files of a job between machines: what a trainer reads, and what it writes.

Paths mean something on the coordinator's machine only. A trainer elsewhere works in a folder of its own, and the
contents of the files travel with the messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.events import Event, ModelFile
from tuner.executors.messages import MessageError
from tuner.files import atomic_path
from tuner.jobs import AssessJob, CheckpointFile, Job, RefitJob, TestJob, TrialJob

Contents = dict[str, bytes]  # of files, by the coordinator's path


def read_files(job: Job) -> Contents:
    """Return the files that a job reads.

    Raises:
        OSError: If one of them cannot be read.
    """
    return {str(path): path.read_bytes() for path in _inputs(job)}


def _inputs(job: Job) -> list[Path]:
    if isinstance(job, TrialJob):
        return [] if job.checkpoint is None else [job.checkpoint.path]
    if isinstance(job, TestJob):
        return [job.model_path]
    return [kept.path for kept in job.candidates] if isinstance(job, AssessJob) else []


def place(job: Job, contents: Mapping[str, bytes], folder: Path) -> Job:
    """Write the files of a job to a folder; returns the job with paths in this folder.

    Raises:
        OSError: If a file cannot be written.
    """
    places = {path: folder / f"{i}-{Path(path).name}" for i, path in enumerate(contents)}
    for path, content in contents.items():
        places[path].write_bytes(content)
    if isinstance(job, AssessJob):
        candidates = tuple(replace(kept, path=places[str(kept.path)]) for kept in job.candidates)
        return replace(job, candidates=candidates)
    if isinstance(job, TestJob):
        return replace(job, model_path=places[str(job.model_path)])
    moved: TrialJob | RefitJob = replace(job, model_path=folder / job.model_path.name)
    if isinstance(moved, TrialJob) and moved.checkpoint is not None:
        return replace(moved, checkpoint=replace(moved.checkpoint, path=places[str(moved.checkpoint.path)]))
    return moved


def take(event: Event, job: Job) -> tuple[Event, Contents]:
    """Return an event with the paths of the coordinator, and the files that it names, which are removed here.

    Args:
        event: An event of the job that :func:`place` returned.
        job: The coordinator's job.

    Raises:
        OSError: If a file cannot be read.
    """
    contents: Contents = {}
    changes: dict[str, Any] = {}
    model: ModelFile | None = getattr(event, "model", None)
    checkpoint: CheckpointFile | None = getattr(event, "checkpoint", None)
    if model is not None and isinstance(job, TrialJob | RefitJob):
        changes["model"] = _taken(model, job.model_path, contents)
    if checkpoint is not None and isinstance(job, TrialJob):
        changes["checkpoint"] = _taken(checkpoint, job.checkpoint_path(checkpoint.epochs), contents)
    return (replace(event, **changes) if changes else event), contents


def _taken(file: Any, path: Path, contents: Contents) -> Any:
    # The end of a trial may name the checkpoint of its last epoch, which the coordinator has.
    if file.path.exists():
        contents[str(path)] = file.path.read_bytes()
        file.path.unlink()
    return replace(file, path=path)


def write_files(event: Event, contents: Mapping[str, bytes]) -> None:
    """Write the files that an event names.

    Args:
        event: An event that :func:`tuner.executors.messages.read_event` has checked, so its paths are those of its job.
        contents: Files by path. Only those that the event names are written.

    Raises:
        MessageError: If the contents differ from the checksum in the event, or are missing.
        OSError: If a file cannot be written.
    """
    for name in ("model", "checkpoint"):
        file: ModelFile | CheckpointFile | None = getattr(event, name, None)
        if file is None:
            continue
        content = contents.get(str(file.path))
        if content is None:
            if not file.path.exists():
                raise MessageError(f"a {type(event).__name__} without its {name}")
            continue
        if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
            raise MessageError(f"a {name} with another checksum than it names")
        with atomic_path(file.path) as temporary:
            temporary.write_bytes(content)

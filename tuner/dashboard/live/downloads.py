"""Sends the model of a trial as a download, in parts: a browser neither shows nor runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import BinaryIO

from tuner_storage import Store
from tuner_storage.artifacts import Artifacts
from tuner_storage.copies import KeptModel
from tuner_storage.faults import ArtifactsAwayError
from tuner_storage.live import read_model

from tuner.dashboard.headers import POLICY
from tuner.dashboard.wsgi import Environ, StartResponse, refuse
from tuner.errors import StorageError

PART = 256 * 1024  # bytes
SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"


def send_model(
    store: Store, optuna_id: int, number: int, environ: Environ, start_response: StartResponse
) -> Iterable[bytes]:
    """Begin an answer with the model of a trial, and return its parts."""
    with store.database.read() as session:
        model = read_model(session, optuna_id, number)
    try:
        file = _opened(store.artifacts, model)
    except ArtifactsAwayError as error:
        return refuse(start_response, str(error), HTTPStatus.SERVICE_UNAVAILABLE)
    except (OSError, StorageError):
        return refuse(start_response, f"there is no model of trial {number}", HTTPStatus.NOT_FOUND)
    environ[POLICY] = SANDBOX
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f'attachment; filename="study-{optuna_id}-trial-{number}.keras"'),
        ("Content-Length", str(file.seek(0, 2))),
        ("Cache-Control", "no-store"),
    ]
    start_response("200 OK", headers)
    file.seek(0)
    return _Parts(file)


def _opened(artifacts: Artifacts, model: KeptModel | None) -> BinaryIO:
    if model is None:
        raise FileNotFoundError
    return artifacts.path(model).open("rb")


class _Parts:
    """The parts of a file, which is closed by the server."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(PART), b"")

    def close(self) -> None:
        """Close the file, also if the browser has gone."""
        self._file.close()

"""Optuna's own dashboard without anything of ours before it, to show that an attack works there."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from optuna.artifacts import FileSystemArtifactStore

from tests.dashboard.conftest import Finished


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing."""


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def get_stderr(self) -> Any:
        return open("/dev/null", "w")  # noqa: PTH123 - the handler closes it with the request


def url_of(study: Finished) -> str:
    """Return the URL of a study's database."""
    return f"sqlite:///{study.home}/studies.db"


@contextmanager
def plainly_served(study: Finished) -> Iterator[str]:
    """Serve the database of a study with Optuna's dashboard and its artifacts, and yield the address."""
    from optuna_dashboard import wsgi

    artifacts = study.home.parent / "plain-artifacts"
    artifacts.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        application = wsgi(url_of(study), artifact_store=FileSystemArtifactStore(artifacts))
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.set_app(application)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

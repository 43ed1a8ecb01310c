"""A small catalogue entry, its arrays, and a server on this machine that delivers them."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tuner.data.catalog import CatalogEntry, Source
from tuner.data.readers import IDX_FILES, Arrays


@pytest.fixture
def entry() -> CatalogEntry:
    """A small data set that is otherwise like Fashion-MNIST."""
    return CatalogEntry(
        name="tiny_set",
        description="three classes of 4x4 pixels",
        input_shape=(4, 4),
        pixel_max=255,
        train_rows=30,
        test_rows=9,
        class_names=("a", "b", "c"),
    )


@pytest.fixture
def arrays() -> Arrays:
    """The arrays of ``entry``."""
    generator = np.random.default_rng(7)
    return Arrays(
        x_train=generator.integers(0, 256, (30, 4, 4), np.uint8),
        y_train=np.arange(30, dtype=np.uint8) % 3,
        x_test=generator.integers(0, 256, (9, 4, 4), np.uint8),
        y_test=np.arange(9, dtype=np.uint8) % 3,
    )


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the cache of the user who runs it."""
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.delenv("TUNER_DATA", raising=False)
    return home


def npz_bytes(arrays: Arrays, **changes: object) -> bytes:
    """Return the bytes of an ``.npz`` file; ``changes`` replaces arrays, and ``None`` leaves an array out."""
    buffer = io.BytesIO()
    contents: dict[str, Any] = arrays._asdict() | changes
    np.savez(buffer, **{name: array for name, array in contents.items() if array is not None})
    return buffer.getvalue()


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return the bytes of a gzipped IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


def idx_files(arrays: Arrays) -> dict[str, bytes]:
    """Return the four gzipped IDX files by name."""
    return {name: idx_bytes(array) for name, array in zip(IDX_FILES, arrays[:4], strict=True)}


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def npz_source(url: str, content: bytes = b"") -> Source:
    """Return a source that promises ``content`` at ``url``."""
    return Source(url, "npz", (sha256(content),))


def idx_source(url: str, files: dict[str, bytes]) -> Source:
    """Return a source that promises the four files of :func:`idx_files` in the folder ``url``."""
    return Source(url, "idx", tuple(sha256(files[name]) for name in IDX_FILES))


@dataclass
class FileServer:
    """Delivers ``files`` by path and records the requested paths.

    ``lengths`` are false sizes that it announces, ``redirects`` are addresses that it sends clients to.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A real web server on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/")
            served.requested.append(path)
            body = served.files.get(path)
            if path in served.redirects:
                self.send_response(302)
                self.send_header("Location", served.redirects[path])
                self.end_headers()
            elif body is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(served.lengths.get(path, len(body))))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Keep the output of the tests clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        served = FileServer(url=f"http://127.0.0.1:{httpd.server_port}")
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        httpd.shutdown()
        thread.join()


@pytest.fixture
def closed_url() -> Iterator[str]:
    """An address on this machine that refuses connections. The port is bound but does not listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"

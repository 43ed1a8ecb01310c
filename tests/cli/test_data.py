"""``tuner data``: the list of data sets, and downloading one."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tuner.cli.data import data
from tuner.data import lookup
from tuner.data.catalog import CatalogEntry, Source
from tuner.errors import DataError
from tuner.files import sha256_of


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.delenv("TUNER_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return home


def test_list_shows_where_each_set_is(tmp_path: Path) -> None:
    """Embedded, a path, or the command that downloads it. The file is not opened."""
    (tmp_path / "mnist.npz").write_bytes(b"not read")

    result = CliRunner().invoke(data, ["list", "--data-dir", str(tmp_path)], catch_exceptions=False)

    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in result.stdout.splitlines()}
    assert rows["name"] == "rows classes where"
    assert rows["digits"] == "1437 + 360 10 embedded"
    assert rows["fashion_mnist"] == "60000 + 10000 10 not here: tuner data fetch fashion_mnist"
    assert rows["mnist"] == f"60000 + 10000 10 {tmp_path}/mnist.npz"


def test_list_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may name the folder."""
    (tmp_path / "fashion_mnist.npz").write_bytes(b"not read")
    monkeypatch.setenv("TUNER_DATA", str(tmp_path))

    result = CliRunner().invoke(data, ["list", "--json"], catch_exceptions=False)

    entries = {entry["name"]: entry for entry in json.loads(result.stdout)}
    assert list(entries) == ["digits", "fashion_mnist", "mnist"]
    assert entries["digits"]["embedded"]
    assert entries["fashion_mnist"]["path"] == str(tmp_path / "fashion_mnist.npz")
    assert entries["mnist"] == {
        "name": "mnist",
        "description": "handwritten digits, 28x28 pixels",
        "train_rows": 60000,
        "test_rows": 10000,
        "classes": 10,
        "input_shape": [28, 28],
        "embedded": False,
        "path": None,
    }


def test_fetch_prints_the_path_of_mnist(shared_data: Path) -> None:
    """A data set on this machine is checked, not downloaded."""
    result = CliRunner().invoke(data, ["fetch", "mnist", "--data-dir", str(shared_data)], catch_exceptions=False)

    assert result.stdout == f"{shared_data / 'mnist.npz'}\n"
    assert "tuner study start mnist" in result.stderr


def test_fetch_of_a_file_checks_it(tmp_path: Path) -> None:
    """The JSON object has the fingerprint that studies store."""
    path = tmp_path / "my.npz"
    x, y = np.ones((6, 3), np.float32), np.arange(6) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)

    result = CliRunner().invoke(data, ["fetch", str(path), "--json"], catch_exceptions=False)

    fetched = json.loads(result.stdout)
    assert len(fetched.pop("fingerprint")) == 64
    assert fetched == {
        "name": "my",
        "source": str(path),
        "train_rows": 6,
        "test_rows": 6,
        "input_shape": [3],
        "input_dtype": "float32",
        "class_names": ["0", "1"],
    }


def test_fetch_of_an_unknown_name_is_an_input_error() -> None:
    """Exit code 2 at the boundary."""
    result = CliRunner().invoke(data, ["fetch", "fashion"])

    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 2
    assert result.exception.hint == "did you mean 'fashion_mnist'? (or the path of a table or of an .npz file)"


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves the files of a folder without logging."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Keep the output of the tests clean."""


def test_a_download_is_shown_on_stderr(tmp_path: Path, keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar names the file and the host; stdout has only the path."""
    y = np.arange(6, dtype=np.uint8) % 2
    np.savez(tmp_path / "tiny.npz", x_train=y[:, None], y_train=y, x_test=y[:, None], y_test=y)
    handler = functools.partial(QuietFiles, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        url = f"http://127.0.0.1:{httpd.server_port}/tiny.npz"
        source = Source(url, "npz", (sha256_of(tmp_path / "tiny.npz"),))
        entry = CatalogEntry("tiny", "two classes", (1,), 1, 6, 6, ("no", "yes"), (source,))
        monkeypatch.setattr(lookup, "CATALOG", {"tiny": entry})
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        result = CliRunner().invoke(data, ["fetch", "tiny"], catch_exceptions=False)
        httpd.shutdown()
        thread.join()

    assert result.stdout == f"{keras_home}/datasets/tiny.npz\n"
    assert "tiny.npz from 127.0.0.1" in result.stderr

"""A download ends with a valid file or without a file, even if servers fail."""

from __future__ import annotations

import io
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pooch
import pytest

from tests.data.conftest import FileServer, idx_files, idx_source, npz_bytes, npz_source, sha256
from tuner.data.catalog import CATALOG, CatalogEntry
from tuner.data.download import Silent, SourceError, download_dataset, fetch_file
from tuner.data.readers import IDX_FILES, Arrays, read_npz
from tuner.errors import DataError

ANY_HASH = "0" * 64  # for downloads that fail before the hash is compared


@dataclass
class Recorder:
    """Records the calls of a download."""

    calls: list[object] = field(default_factory=list)

    def start(self, total_bytes: int | None, label: str) -> None:
        """Record the size and the label."""
        self.calls.append((total_bytes, label))

    def advance(self, count: int) -> None:
        """Record the number of bytes."""
        self.calls.append(count)

    def finish(self) -> None:
        """Record the end."""
        self.calls.append("finish")


def test_a_good_source_gives_the_file(tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer) -> None:
    """The progress gets the size, every byte and the end."""
    content = npz_bytes(arrays)
    server.files["set.npz"] = content
    progress = Recorder()

    path = download_dataset(entry, tmp_path, sources=[npz_source(f"{server.url}/set.npz", content)], progress=progress)

    assert path == tmp_path / "tiny_set.npz"
    assert path.read_bytes() == content
    assert progress.calls == [(len(content), "set.npz from 127.0.0.1"), len(content), "finish"]


def test_the_next_source_is_tried_when_one_fails(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer, closed_url: str
) -> None:
    """Refused connection, missing file, no data set, half a file, other data: the sixth source delivers."""
    good = npz_bytes(arrays)
    server.files |= {
        "good.npz": good,
        "page.npz": b"<html>Please log in</html>",
        "short.npz": good[:-50],
        "other.npz": npz_bytes(arrays, x_train=np.zeros((30, 5, 5), np.uint8)),
    }
    server.lengths["short.npz"] = len(good)
    names = ["absent.npz", "page.npz", "short.npz", "other.npz", "good.npz"]
    sources = [npz_source(closed_url)]
    sources += [npz_source(f"{server.url}/{name}", server.files.get(name, b"")) for name in names]

    path = download_dataset(entry, tmp_path, sources=sources)

    assert path.read_bytes() == good
    assert server.requested == names
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["tiny_set.npz"]


def test_a_file_with_the_right_shapes_and_a_wrong_hash_is_refused(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer
) -> None:
    """The message names the server and the file, and the next source is tried."""
    good, forged = npz_bytes(arrays), npz_bytes(arrays, x_train=arrays.x_train ^ 1)
    server.files |= {"forged.npz": forged, "good.npz": good}
    wrong, right = npz_source(f"{server.url}/forged.npz", good), npz_source(f"{server.url}/good.npz", good)

    with pytest.raises(
        DataError, match=rf"127\.0\.0\.1: forged\.npz is another file: its SHA-256 is not {sha256(good)}"
    ):
        download_dataset(entry, tmp_path, sources=[wrong])
    assert list(tmp_path.iterdir()) == []

    assert download_dataset(entry, tmp_path, sources=[wrong, right]).read_bytes() == good
    assert server.requested == ["forged.npz", "forged.npz", "good.npz"]


@pytest.mark.parametrize("name", IDX_FILES)
def test_each_idx_file_has_its_own_hash(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer, name: str
) -> None:
    """One wrong file among the four is refused by its name."""
    promised = idx_files(arrays)
    x_train, y_train, x_test, y_test = (array[::-1] for array in arrays[:4])
    changed = Arrays(x_train, y_train, x_test, y_test)
    server.files = {f"folder/{good}": content for good, content in promised.items()}
    server.files[f"folder/{name}"] = idx_files(changed)[name]

    with pytest.raises(DataError, match=f"{name} is another file"):
        download_dataset(entry, tmp_path, sources=[idx_source(f"{server.url}/folder", promised)])


def test_pooch_logs_nothing_beside_the_progress_bar(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default it logs each file to stderr."""
    content = npz_bytes(arrays)
    server.files["set.npz"] = content
    logged = io.StringIO()
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(logged)])
    pooch.get_logger().setLevel(logging.NOTSET)

    download_dataset(entry, tmp_path, sources=[npz_source(f"{server.url}/set.npz", content)])

    assert logged.getvalue() == ""


def test_every_source_of_the_catalogue_has_a_hash_for_each_file() -> None:
    """One SHA-256 for an ``.npz`` file, four different ones for the IDX files."""
    for source in (source for entry in CATALOG.values() for source in entry.sources):
        assert len(set(source.sha256)) == (1 if source.format == "npz" else len(IDX_FILES))
        assert all(len(bytes.fromhex(digest)) == 32 for digest in source.sha256)


def test_idx_files_become_one_npz(tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer) -> None:
    """The second source may have another format."""
    files = idx_files(arrays)
    server.files = {f"folder/{name}": content for name, content in files.items()}
    progress = Recorder()

    path = download_dataset(entry, tmp_path, sources=[idx_source(f"{server.url}/folder", files)], progress=progress)

    read = read_npz(path)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read[:4], arrays[:4], strict=True))
    assert progress.calls.count("finish") == 4


def test_if_no_source_delivers_the_message_lists_every_reason(
    tmp_path: Path, entry: CatalogEntry, server: FileServer, closed_url: str
) -> None:
    """The user sees whether the network or the servers failed. No file is left."""
    sources = [npz_source(f"{closed_url}/set.npz"), npz_source(f"{server.url}/set.npz")]

    with pytest.raises(DataError) as caught:
        download_dataset(entry, tmp_path / "new", sources=sources, hint="do it by hand")

    message = str(caught.value)
    assert message == (
        "tiny_set is not on this machine and no download worked: "
        "127.0.0.1: Connection refused; 127.0.0.1: HTTP 404 Not Found"
    )
    assert caught.value.hint == "do it by hand"
    assert list((tmp_path / "new").iterdir()) == []


def test_an_older_file_survives_a_failed_download(tmp_path: Path, entry: CatalogEntry, closed_url: str) -> None:
    """Only a checked file replaces it."""
    older = tmp_path / "tiny_set.npz"
    older.write_bytes(b"older")

    with pytest.raises(DataError):
        download_dataset(entry, tmp_path, sources=[npz_source(closed_url)])

    assert older.read_bytes() == b"older"


def test_a_folder_that_cannot_be_written_is_not_the_fault_of_a_source(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer
) -> None:
    """The message names the file on this machine, and no other source is tried."""
    server.files["set.npz"] = npz_bytes(arrays)
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    source = npz_source(f"{server.url}/set.npz", server.files["set.npz"])

    with pytest.raises(DataError, match=r"cannot write .*tiny_set\.npz: (File exists|Not a directory)"):
        download_dataset(entry, blocked, sources=[source, source])


@pytest.mark.parametrize(
    "url",
    ["http://example.org/set.npz", "file:///etc/hostname", "ftp://127.0.0.1/set.npz", "http://localhost.example.org/x"],
)
def test_only_https_leaves_this_machine(tmp_path: Path, url: str) -> None:
    """Anyone on the network path can change a file that comes over plain http. Other schemes are refused too."""
    with pytest.raises(SourceError, match="is refused"):
        fetch_file(url, tmp_path / "file", Silent(), sha256=ANY_HASH)


@pytest.mark.parametrize("target", ["http://example.org/set.npz", "ftp://example.org/set.npz"])
def test_a_redirect_follows_the_rules_for_addresses(tmp_path: Path, server: FileServer, target: str) -> None:
    """A server cannot redirect to plain http or ftp."""
    server.redirects["set.npz"] = target

    with pytest.raises(SourceError, match=r"example\.org: '(http|ftp)' is refused"):
        fetch_file(f"{server.url}/set.npz", tmp_path / "file", Silent(), sha256=ANY_HASH)


def test_a_redirect_on_loopback_is_followed(tmp_path: Path, server: FileServer) -> None:
    """Mirrors redirect often."""
    server.files["there"] = b"content"
    server.redirects["here"] = f"{server.url}/there"

    fetch_file(f"{server.url}/here", tmp_path / "file", Silent(), sha256=sha256(b"content"))

    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_download_that_is_too_large_is_stopped(tmp_path: Path, server: FileServer) -> None:
    """A server cannot fill the disk, and the progress bar is closed."""
    server.files["set.npz"] = bytes(100_000)
    progress = Recorder()

    with pytest.raises(SourceError, match="more than 70000 bytes"):
        fetch_file(f"{server.url}/set.npz", tmp_path / "file", progress, sha256=ANY_HASH, limit=70_000)

    assert progress.calls[-1] == "finish"


def test_a_silent_server_ends_in_a_timeout(tmp_path: Path) -> None:
    """A server that accepts and never answers does not block the run."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/set.npz"

        with pytest.raises(SourceError, match="timed out"):
            fetch_file(url, tmp_path / "file", Silent(), sha256=ANY_HASH, timeout=0.05)

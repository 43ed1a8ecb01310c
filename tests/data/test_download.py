"""Downloads end with a valid file or with none, whatever the servers do."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.data.conftest import FileServer, idx_files, npz_bytes
from tuner.data.catalog import CatalogEntry, Source
from tuner.data.download import Silent, SourceError, download_dataset, fetch_file
from tuner.data.readers import Arrays, read_npz
from tuner.errors import DataError


@dataclass
class Recorder:
    """Writes down what it hears."""

    heard: list[object] = field(default_factory=list)

    def start(self, total_bytes: int | None, label: str) -> None:
        """Write down the size and the label."""
        self.heard.append((total_bytes, label))

    def advance(self, count: int) -> None:
        """Write down how many bytes came."""
        self.heard.append(count)

    def finish(self) -> None:
        """Write down the end."""
        self.heard.append("finish")


def test_a_good_source_gives_the_file(tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer) -> None:
    """Progress hears the size, every byte and the end."""
    server.files["set.npz"] = npz_bytes(arrays)
    progress = Recorder()

    path = download_dataset(entry, tmp_path, sources=[Source(f"{server.url}/set.npz", "npz")], progress=progress)

    size = len(server.files["set.npz"])
    assert path == tmp_path / "tiny_set.npz"
    assert path.read_bytes() == server.files["set.npz"]
    assert progress.heard == [(size, "set.npz from 127.0.0.1"), size, "finish"]


def test_the_next_source_is_tried_when_one_fails(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer, closed_url: str
) -> None:
    """Refused connection, missing file, wrong contents, half a file: the fifth source delivers."""
    good = npz_bytes(arrays)
    server.files |= {
        "good.npz": good,
        "page.npz": b"<html>Please log in</html>",
        "short.npz": good[:-50],
        "other.npz": npz_bytes(arrays, x_train=np.zeros((30, 5, 5), np.uint8)),
    }
    server.lengths["short.npz"] = len(good)
    names = ["absent", "page", "short", "other", "good"]
    sources = [Source(closed_url, "npz"), *(Source(f"{server.url}/{name}.npz", "npz") for name in names)]

    path = download_dataset(entry, tmp_path, sources=sources)

    assert path.read_bytes() == good
    assert server.asked == [f"{name}.npz" for name in names]
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["tiny_set.npz"]


def test_idx_files_become_one_npz(tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer) -> None:
    """The second source may have another format."""
    server.files = {f"folder/{name}": content for name, content in idx_files(arrays).items()}
    progress = Recorder()

    path = download_dataset(entry, tmp_path, sources=[Source(f"{server.url}/folder", "idx")], progress=progress)

    read = read_npz(path)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read[:4], arrays[:4], strict=True))
    assert progress.heard.count("finish") == 4


def test_without_any_source_every_reason_is_told(
    tmp_path: Path, entry: CatalogEntry, server: FileServer, closed_url: str
) -> None:
    """The person in front of it sees whether it is the network or the servers; nothing is left behind."""
    sources = [Source(f"{closed_url}/set.npz", "npz"), Source(f"{server.url}/set.npz", "npz")]

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
    """The final name is touched by a valid file only."""
    older = tmp_path / "tiny_set.npz"
    older.write_bytes(b"older")

    with pytest.raises(DataError):
        download_dataset(entry, tmp_path, sources=[Source(closed_url, "npz")])

    assert older.read_bytes() == b"older"


def test_a_folder_that_cannot_be_written_is_not_the_fault_of_a_source(
    tmp_path: Path, entry: CatalogEntry, arrays: Arrays, server: FileServer
) -> None:
    """The message names the file on this machine, and no other source is asked."""
    server.files["set.npz"] = npz_bytes(arrays)
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    source = Source(f"{server.url}/set.npz", "npz")

    with pytest.raises(DataError, match=r"cannot write .*tiny_set\.npz: (File exists|Not a directory)"):
        download_dataset(entry, blocked, sources=[source, source])


@pytest.mark.parametrize(
    "url",
    ["http://example.org/set.npz", "file:///etc/hostname", "ftp://127.0.0.1/set.npz", "http://localhost.example.org/x"],
)
def test_only_https_leaves_this_machine(tmp_path: Path, url: str) -> None:
    """Anyone on the way could change what comes by plain http; other schemes have no business here."""
    with pytest.raises(SourceError, match="is refused"):
        fetch_file(url, tmp_path / "file", Silent())


@pytest.mark.parametrize("target", ["http://example.org/set.npz", "ftp://example.org/set.npz"])
def test_a_redirect_cannot_lead_where_an_address_may_not(tmp_path: Path, server: FileServer, target: str) -> None:
    """The server does not choose the protocol."""
    server.redirects["set.npz"] = target

    with pytest.raises(SourceError, match=r"example\.org: '(http|ftp)' is refused"):
        fetch_file(f"{server.url}/set.npz", tmp_path / "file", Silent())


def test_a_redirect_on_loopback_is_followed(tmp_path: Path, server: FileServer) -> None:
    """Mirrors do it all the time."""
    server.files["there"] = b"content"
    server.redirects["here"] = f"{server.url}/there"

    fetch_file(f"{server.url}/here", tmp_path / "file", Silent())

    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_download_without_end_is_given_up(tmp_path: Path, server: FileServer) -> None:
    """A server cannot fill the disk, and the bar is taken down."""
    server.files["set.npz"] = bytes(100_000)
    progress = Recorder()

    with pytest.raises(SourceError, match="more than 70000 bytes"):
        fetch_file(f"{server.url}/set.npz", tmp_path / "file", progress, limit=70_000)

    assert progress.heard[-1] == "finish"


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    """A server that accepts and never answers must not hang the run."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/set.npz"

        with pytest.raises(SourceError, match="timed out"):
            fetch_file(url, tmp_path / "file", Silent(), timeout=0.05)

"""Downloads a data set into the Keras cache, from the first source that delivers the right files.

``pooch`` compares the SHA-256 of each file with the catalogue and stores only the right file. The transfer itself is
ours, because ``pooch.HTTPDownloader`` fails cases that ``tests/data/test_download.py`` covers:

- It follows a redirect from ``https`` to ``http``.
- It has no size limit, so a server can fill the disk.
- It counts whole chunks instead of bytes, and does not close the progress bar after an error.

``keras.utils.get_file`` stores files in the same folder, but it draws its bar on stdout, where results go. It has no
timeout, leaves half a file under the final name when it is killed, and imports TensorFlow.
"""

from __future__ import annotations

import http.client
import ipaddress
import logging
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np

from tuner.data.catalog import CatalogEntry, Source
from tuner.data.readers import IDX_FILES, read_idx_folder, read_npz
from tuner.errors import DataError
from tuner.files import atomic_path

TIMEOUT = 30.0  # seconds without a byte
LIMIT = 200_000_000  # bytes of one file; the largest that we expect has 55 million
CHUNK = 1 << 16  # bytes

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Shows the progress of a download. Each file causes one ``start`` and one ``finish``."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """Begin a file of ``total_bytes`` bytes; ``None`` if the server does not send the size."""

    def advance(self, count: int) -> None:
        """Add ``count`` received bytes."""

    def finish(self) -> None:
        """End the file, whether it is complete or not."""


class Silent:
    """Shows nothing."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """Show nothing."""

    def advance(self, count: int) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""


class SourceError(Exception):
    """A source did not deliver the right file. The next source is tried."""


def download_dataset(
    entry: CatalogEntry,
    folder: Path,
    *,
    sources: Sequence[Source] | None = None,
    progress: Progress | None = None,
    hint: str | None = None,
) -> Path:
    """Download a data set to ``NAME.npz`` in a folder and return the path.

    The file has a temporary name until its hash and its contents have been checked and it is flushed to disk.

    Args:
        entry: The data set.
        folder: The folder; created if it is missing.
        sources: Sources to use instead of those of ``entry``.
        progress: Shows the progress.
        hint: What the user can do if no source delivers.

    Raises:
        DataError: If no source delivers (the message lists the reason for each source), or if the file cannot be
            written.
    """
    target = folder / f"{entry.name}.npz"
    failures = []
    for source in entry.sources if sources is None else sources:
        try:
            with atomic_path(target) as temporary:
                _fetch(source, temporary, progress or Silent())
                entry.dataset(read_npz(temporary, where=_host(source.url)), _host(source.url))
        except (SourceError, DataError) as error:
            _log.info("%s: %s", entry.name, error)
            failures.append(str(error))
        except OSError as error:
            raise DataError(
                f"cannot write {target}: {error.strerror or error}",
                hint="KERAS_HOME names another folder for downloads",
            ) from error
        else:
            return target
    raise DataError(f"{entry.name} is not on this machine and no download worked: {'; '.join(failures)}", hint=hint)


def _fetch(source: Source, target: Path, progress: Progress) -> None:
    """Write the data set of a source to ``target`` as an ``.npz`` file."""
    if source.format == "npz":
        fetch_file(source.url, target, progress, sha256=source.sha256[0])
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name, sha256 in zip(IDX_FILES, source.sha256, strict=True):
            fetch_file(f"{source.url}/{name}", Path(scratch, name), progress, sha256=sha256)
        arrays = read_idx_folder(Path(scratch), where=_host(source.url))
    # Not compressed: every trainer reads the file, and reading is five times as fast.
    np.savez(target, x_train=arrays.x_train, y_train=arrays.y_train, x_test=arrays.x_test, y_test=arrays.y_test)


def fetch_file(
    url: str, target: Path, progress: Progress, *, sha256: str, timeout: float = TIMEOUT, limit: int = LIMIT
) -> None:
    """Download one file and check its hash.

    Args:
        url: An ``https`` address. ``http`` is accepted only for a server on this machine.
        target: Path of the new file. It is written only if the hash is right.
        progress: Shows the progress.
        sha256: The expected SHA-256 as 64 hexadecimal digits.
        timeout: Longest time without a byte, in seconds.
        limit: Largest size in bytes.

    Raises:
        SourceError: If the server does not deliver the whole file, or if the hash is wrong.
        OSError: If the file cannot be written.
    """
    import pooch

    def transfer(_url: str, path: str, _pooch: object) -> None:
        _transfer(url, Path(path), progress, timeout=timeout, limit=limit)

    pooch.get_logger().setLevel(logging.WARNING)  # else it logs each download to stderr, where the progress bar is
    target.unlink(missing_ok=True)  # pooch may take an empty file for a finished download
    try:
        pooch.retrieve(url, sha256, fname=target.name, path=target.parent, downloader=transfer)
    except ValueError as error:
        raise SourceError(f"{_host(url)}: {_file_name(url)} is another file: its SHA-256 is not {sha256}") from error


def _transfer(url: str, path: Path, progress: Progress, *, timeout: float, limit: int) -> None:
    """Write the bytes of a download to ``path``; after an error, half a file can be there."""
    received = 0
    with _open(url, timeout) as response, path.open("wb") as file:
        total = response.length
        progress.start(total, f"{_file_name(url)} from {_host(url)}")
        try:
            for chunk in _chunks(response, url):
                received += len(chunk)
                if received > limit:
                    raise SourceError(f"{_host(url)}: more than {limit} bytes")
                file.write(chunk)
                progress.advance(len(chunk))
        finally:
            progress.finish()
    if total is not None and received < total:
        raise SourceError(f"{_host(url)}: the connection ended after {received} of {total} bytes")


def _open(url: str, timeout: float) -> http.client.HTTPResponse:
    _check_address(url)  # for file: and other schemes, urllib does not call _AddressCheck
    handlers: list[urllib.request.BaseHandler] = [_AddressCheck()]
    if _is_loopback(_host(url)):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's own servers
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(url, timeout=timeout)
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{_host(url)}: {_reason(error)}") from error
    return response


def _chunks(response: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """Yield the body in chunks. Errors of the caller, such as a full disk, are not caught here."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{_host(url)}: {_reason(error)}") from error
        if not chunk:
            return
        yield chunk


class _AddressCheck(urllib.request.BaseHandler):
    """Checks the address of every request, including redirects."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        _check_address(request.full_url)
        return request

    ftp_request = http_request  # urllib would follow a redirect to ftp


def _check_address(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and _is_loopback(_host(url))):
        raise SourceError(f"{_host(url)}: '{scheme}' is refused, anyone on the way could change the data; use https")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _file_name(url: str) -> str:
    return Path(urlsplit(url).path).name


def _reason(error: Exception) -> str:
    """Return in a few words why a request failed."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__

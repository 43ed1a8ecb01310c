"""Downloads a data set into the Keras cache, from the first of its sources that delivers the right contents.

``keras.utils.get_file`` is not used although it downloads to the same place: it draws its bar on stdout, where results
go, has no timeout, writes straight to the final name, so that a killed download leaves half a file there, accepts a
known byte hash only, and needs the import of TensorFlow. What arrives here is a file that Keras finds too.
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
    """Hears how a download goes on; one ``start`` and one ``finish`` for each file."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """A file begins; its size is ``None`` where the server does not tell."""

    def advance(self, count: int) -> None:
        """As many bytes more have arrived."""

    def finish(self) -> None:
        """The file has ended, whole or not."""


class Silent:
    """Shows nothing."""

    def start(self, total_bytes: int | None, label: str) -> None:
        """Show nothing."""

    def advance(self, count: int) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""


class SourceError(Exception):
    """A source did not deliver; the next one is tried."""


def download_dataset(
    entry: CatalogEntry,
    folder: Path,
    *,
    sources: Sequence[Source] | None = None,
    progress: Progress | None = None,
    hint: str | None = None,
) -> Path:
    """Download a data set to ``NAME.npz`` in a folder, and return that path.

    The file appears when its contents have been validated and flushed to disk; until then it has a temporary name.

    Args:
        entry: The data set.
        folder: Made if it is missing.
        sources: Where to download from, instead of the entry's own sources.
        progress: Hears how it goes on.
        hint: What the user can do where no source delivers.

    Raises:
        DataError: If no source delivers, with the reason of each, or the file cannot be written.
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
    """Leave an ``.npz`` file at ``target``, whatever format the source has."""
    if source.format == "npz":
        fetch_file(source.url, target, progress)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name in IDX_FILES:
            fetch_file(f"{source.url}/{name}", Path(scratch, name), progress)
        arrays = read_idx_folder(Path(scratch), where=_host(source.url))
    # Not compressed: every trainer reads the file, and that is five times as fast.
    np.savez(target, x_train=arrays.x_train, y_train=arrays.y_train, x_test=arrays.x_test, y_test=arrays.y_test)


def fetch_file(url: str, target: Path, progress: Progress, *, timeout: float = TIMEOUT, limit: int = LIMIT) -> None:
    """Download one file.

    Args:
        url: An ``https`` address; ``http`` is accepted for this machine alone.
        target: Where the bytes go; half a file stays there on an error.
        progress: Hears how it goes on.
        timeout: Seconds that the server may be silent.
        limit: Bytes after which the download is given up.

    Raises:
        SourceError: If the server does not deliver the whole file.
        OSError: If it cannot be written.
    """
    received = 0
    with _open(url, timeout) as response, target.open("wb") as file:
        total = response.length
        progress.start(total, f"{Path(urlsplit(url).path).name} from {_host(url)}")
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
    _check_address(url)  # refuses file: and all else that no handler sees
    handlers: list[urllib.request.BaseHandler] = [_AddressCheck()]
    if _is_loopback(_host(url)):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's own servers
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(url, timeout=timeout)
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{_host(url)}: {_reason(error)}") from error
    return response


def _chunks(response: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """Yield the body; an error of the caller, such as a full disk, does not pass through here."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{_host(url)}: {_reason(error)}") from error
        if not chunk:
            return
        yield chunk


class _AddressCheck(urllib.request.BaseHandler):
    """Sees every request, those that follow a redirect too."""

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


def _reason(error: Exception) -> str:
    """Say in a few words why a request failed."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__

"""The files that a user asks a command to write: checked before the work, and complete or absent after it."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from tuner.errors import RunError, UsageError
from tuner.files import atomic_path
from tuner.paths import StrPath, user_path
from tuner.printable import escaped

STDOUT = "-"
SQLITE_MAGIC = b"SQLite format 3\x00"
SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")  # files beside an open database; they belong to it
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
_MOST_LINKS = 40  # as on Linux
# The user named a place that cannot be written. Other errors, such as a full disk, are failures of the run.
_WRONG_PLACE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP}
    | {errno.ENAMETOOLONG, errno.EINVAL, errno.EBADF}
)

Places = Mapping[Path, str]  # files and folders that no output may replace or lie in, each with its description


class OutputFile:
    """A file that the user named for the output of a command.

    ``-`` is standard output. Links are followed: their target is written. Pipes and devices such as ``/dev/null`` are
    opened and written; they are never replaced. A regular file is written under a temporary name in the same folder,
    and renamed once it is complete.

    Args:
        path: The path, or ``-``.
        force: Replace an existing file, whatever it holds.
        earlier: Returns whether an existing file looks like an earlier output of the same command. Such a file is
            replaced without ``force``, and so is an empty one.
        inputs: Files that the command reads, or folders of them. They are never replaced, not even with ``force``.
        protected: Files and folders of ours, see :attr:`tuner_storage.location.Location.protected`.
        replaces_databases: Whether ``force`` applies to SQLite databases too.
        mode: The permissions of a new file, from which the umask takes some away.

    Raises:
        UsageError: If the file must not or cannot be written.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        force: bool = False,
        earlier: Callable[[Path], bool] = lambda _: False,
        inputs: Iterable[Path] = (),
        protected: Places | None = None,
        replaces_databases: bool = False,
        mode: int = 0o666,
    ) -> None:
        self.path = user_path(path)
        self._force = force
        self._earlier = earlier
        self._inputs = tuple(inputs)
        self._protected = protected or {}
        self._replaces_databases = replaces_databases
        self._mode = mode
        self._descriptor = 1 if str(self.path) == STDOUT else _descriptor_of(self.path)
        self._target = Path(os.path.realpath(self.path))
        self.check()

    def __str__(self) -> str:
        """The path for messages."""
        return "standard output" if self.is_stdout else str(self.path)

    @property
    def is_stdout(self) -> bool:
        """Whether the output goes to standard output, so that nothing else may be printed there."""
        return self._descriptor == 1

    def check(self) -> None:
        """Check that the file may be written. Repeated before it is replaced, in case it was changed meanwhile.

        Raises:
            UsageError: If it must not or cannot be written.
        """
        if self._descriptor is not None:
            return
        refuse_protected(self.path, self._target, self._protected)
        try:
            status = self._target.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(error) from None
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
            return
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{self.path} is a folder", hint="name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{self.path} is no regular file", hint="name another file, or - for standard output")
        if any(_same_file(status, file) for place in self._inputs for file in _files_in(place)):
            raise UsageError(f"{self.path} is read by this command", hint="name another file")
        if _is_redirection(status):
            raise UsageError(f"{self.path} is where standard output goes already", hint="write - instead of the name")
        if status.st_size:
            self._check_contents()

    def _check_contents(self) -> None:
        """Check that what an existing regular file holds may be replaced."""
        try:
            with self._target.open("rb") as file:
                is_database = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        except OSError as error:
            raise self._error(error) from None
        if is_database and not self._replaces_databases:
            raise UsageError(f"{self.path} is an SQLite database", hint="name another file")
        if is_database and (companions := [path for path in companions_of(self._target) if path.exists()]):
            raise UsageError(f"{self.path} is a database in use: {companions[0]} exists", hint="name another file")
        if not self._force and not self._earlier(self._target):
            raise UsageError(f"{self.path} exists", hint="name another file, or replace this one with --force")

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """Yield a stream of UTF-8 text. What UTF-8 cannot express, such as parts of odd file names, is escaped.

        Raises:
            UsageError: If the file cannot be made, or another program has made one of this name meanwhile.
            RunError: If the file cannot be written.
        """
        if self.is_stdout:
            yield sys.stdout
            sys.stdout.flush()
        elif self._is_sink():
            with self._errors(), os.fdopen(self._open_sink(), "w", **_TEXT) as sink:
                yield cast("TextIO", _Escaping(sink)) if sink.isatty() else sink
        else:
            with self.file() as temporary, temporary.open("w", **_TEXT) as stream:
                yield stream

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Yield a temporary file for a library to write. After the block, it becomes the output.

        Raises:
            UsageError: If the file cannot be made, or another program has made one of this name meanwhile.
            RunError: If the file cannot be written.
        """
        with self._errors():
            if not self._is_sink():
                with atomic_path(self._target, mode=self._mode) as temporary:
                    yield temporary
                    self.check()
                return
            with tempfile.TemporaryDirectory() as folder:
                temporary = Path(folder, self.path.name or "output")
                yield temporary
                with temporary.open("rb") as read:
                    if self.is_stdout:
                        shutil.copyfileobj(read, sys.stdout.buffer)
                        sys.stdout.flush()
                    else:
                        with os.fdopen(self._open_sink(), "wb") as sink:
                            shutil.copyfileobj(read, sink)

    def _is_sink(self) -> bool:
        """Whether the output is written as it comes: to standard output, a pipe or a device."""
        return self._descriptor is not None or (self._target.exists() and not self._target.is_file())

    def _open_sink(self) -> int:
        return os.open(self._target, os.O_WRONLY) if self._descriptor is None else os.dup(self._descriptor)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.is_stdout and isinstance(error, BrokenPipeError):
                raise  # the command line handles a reader that has closed its end
            raise self._error(error) from error

    def _error(self, error: OSError) -> UsageError | RunError:
        kind = UsageError if error.errno in _WRONG_PLACE else RunError
        return kind(f"cannot write {self}: {error.strerror or error}", hint="name another file")


class _Escaping(io.TextIOBase):
    """A terminal that the user named, such as ``/dev/tty``: control characters are shown as escapes."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._terminal.write(escaped(text, keep="\n"))
        return len(text)


def refuse_protected(path: Path, target: Path, protected: Places) -> None:
    """Refuse a path that is one of the protected places, or lies in one.

    Args:
        path: The path as the user wrote it, for the message.
        target: The same path with all links followed.
        protected: Files and folders, each with its description.

    Raises:
        UsageError: If the path is protected.
    """
    for place, description in protected.items():
        if _is_same(target, place):
            raise UsageError(f"{path} is {description}", hint="name another file or folder")
        if any(_is_same(parent, place) for parent in target.parents):
            raise UsageError(f"{path} lies in {description}, {place}", hint="name another file or folder")


def companions_of(database: Path) -> list[Path]:
    """Return the paths of the files that SQLite keeps beside an open database."""
    return [database.with_name(database.name + suffix) for suffix in SQLITE_COMPANIONS]


def _is_same(path: Path, place: Path) -> bool:
    """Whether two paths name the same file: by their inodes, because names can differ in case or by a hard link."""
    with suppress(OSError):
        return path.samefile(place)
    return path == Path(os.path.realpath(place))


def _same_file(status: os.stat_result, file: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(status, file.stat())
    return False


def _files_in(place: Path) -> Iterator[Path]:
    yield from place.rglob("*") if place.is_dir() else (place,)


def _is_redirection(status: os.stat_result) -> bool:
    """Whether a file is the one that standard output was redirected to."""
    with suppress(OSError, ValueError, AttributeError):  # standard output may be closed or replaced
        return os.path.samestat(status, os.fstat(sys.stdout.fileno()))
    return False


def _descriptor_of(path: Path) -> int | None:
    """Return the number of the open file that a path such as ``/dev/stdout`` or ``/dev/fd/3`` stands for.

    Such a file must be written and not replaced, even if it is a regular one.
    """
    with suppress(OSError):  # a name that is too long; the check of the file reports it
        for _ in range(_MOST_LINKS):
            path = Path(os.path.normpath(path.absolute()))
            if match := _DESCRIPTOR.fullmatch(str(path)):
                return int(match[1])
            if not path.is_symlink():
                break
            path = path.parent / path.readlink()
    return None

"""Runs command lines of ``tuner`` in a process of its own and watches what they touch.

The process imports the libraries once. It reports each file that is opened for writing, removed or renamed, each
program that is started and each class that is unpickled, by Python's audit events.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.measured import most_memory

ROOT = Path(__file__).parent.parent

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_STARTS = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.fork", "pickle.find_class"}


class Ended(NamedTuple):
    """How a command line ended.

    Attributes:
        code: The exit code.
        stderr: What it printed there.
        touched: The paths of the files that it changed, outside its folder.
        started: The programs that it started, and the classes that it unpickled.
        memory: The most memory that the process has used so far, in bytes.
    """

    code: int
    stderr: str
    touched: list[str]
    started: list[str]
    memory: int


class Sandbox:
    """A process that runs command lines one by one, in a folder that they may change.

    Args:
        folder: The working folder, also for temporary files, and the home of the user.
    """

    def __init__(self, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
        environment |= {"HOME": str(folder), "TMPDIR": str(folder), "KERAS_HOME": str(folder / ".keras")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox", str(folder)],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip

    def run(self, *words: str) -> Ended:
        """Run a command line, such as ``"space", "check", "a.toml"``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        assert reply, f"the process ended with {self._process.wait()} during: {words}"
        return Ended(**json.loads(reply))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class _Watch:
    """Collects audit events while a command line runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self.touched: list[str] = []
        self.started: list[str] = []
        self.on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _STARTS:
            self.started.append(f"{event} {arguments!r}"[:200])
        elif event in _CHANGES or (event == "open" and self._is_write(arguments)):
            self._touch(arguments[0])
            if event == "os.rename":
                self._touch(arguments[1])
        elif event == "sqlite3.connect":
            self._touch(str(arguments[0]).removeprefix("file:").partition("?")[0])

    @staticmethod
    def _is_write(arguments: tuple[Any, ...]) -> bool:
        _, mode, flags = arguments
        return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITES)

    def _touch(self, place: object) -> None:
        if isinstance(place, int):  # a file that is open already
            return
        path = os.path.realpath(os.fsdecode(place))  # type: ignore[arg-type]
        if path != self._folder and not path.startswith(self._folder + os.sep) and path != os.devnull:
            self.touched.append(path)


def _serve(folder: Path) -> None:
    from click.testing import CliRunner

    from tuner.cli.main import main

    os.chdir(folder)
    watch = _Watch(folder)
    sys.addaudithook(watch)
    for line in sys.stdin:
        words: Sequence[str] = json.loads(line)
        watch.touched, watch.started, watch.on = [], [], True
        try:
            result = CliRunner().invoke(main, list(words), catch_exceptions=True)
        finally:
            watch.on = False
        ended = Ended(
            code=result.exit_code,
            stderr=result.stderr if result.exception is None or isinstance(result.exception, SystemExit)
            else f"Traceback: {result.exception!r}",
            touched=watch.touched,
            started=watch.started,
            memory=most_memory(),
        )  # fmt: skip
        print(json.dumps(ended._asdict()), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))

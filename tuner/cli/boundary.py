"""The one place where errors become lines on stderr, JSON on stdout, and exit codes."""

from __future__ import annotations

import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import click
import cloup

from tuner.cli.completion import VARIABLE, answer
from tuner.cli.output import StdoutLostError, err, print_json
from tuner.cli.places import places
from tuner.cli.streams import GuardedStream, guarded_streams
from tuner.command_line import suggesting
from tuner.errors import RunError, TunerError
from tuner.printable import escaped

INTERRUPTED = 130

_log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """An error as it is shown; ``--json`` prints these fields."""

    error: str
    hint: str | None
    exit_code: int


class ErrorBoundary(cloup.Group):
    """Turns an error into one line, a hint and an exit code."""

    def main(self, args: Sequence[str] | None = None, **_options: Any) -> NoReturn:  # type: ignore[override]
        """Run a command line, and end the process with its exit code."""
        if instruction := os.environ.get(VARIABLE):  # a shell asks for completions
            answer(self, instruction)
        words = list(sys.argv[1:] if args is None else args)
        with guarded_streams() as stdout, suggesting(places):
            try:
                code = self._run(words)
            except KeyboardInterrupt:  # while an error was reported
                code = INTERRUPTED
            code = _finish(stdout, code)
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, and log its error while the log is still open."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:
            _log.debug("the command failed", exc_info=True)
            raise

    def _run(self, words: list[str]) -> int:
        """Run a command line, report its error, and return the exit code."""
        try:
            with self.make_context("tuner", list(words)) as context:
                self.invoke(context)
        except StdoutLostError:
            return 0
        except click.exceptions.Exit as end:
            return end.exit_code
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - this is the place that reports every error
            failure = _failure(error)
            _report(failure, as_json=_wants_json(words))
            return failure.exit_code
        return 0


def _failure(error: BaseException) -> Failure:
    """Return what to show of an error. The traceback of an error that is our fault is printed."""
    if isinstance(error, RecursionError):
        error = RunError("a value that was read is nested too deeply", hint="no tuner wrote its file or database")
    if isinstance(error, TunerError):
        return Failure(str(error), error.hint, error.exit_code)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        err(error.format_message() + "\n")
        return Failure("no command was given", "choose one from the list", error.exit_code)
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        return Failure(error.format_message(), context and f"{context.command_path} --help", error.exit_code)
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        return Failure("interrupted", None, INTERRUPTED)
    if isinstance(error, click.Abort):
        return Failure("aborted; nothing was changed", None, 1)
    # Indented: a line of a message of somebody else must not look like one of ours.
    err(textwrap.indent("".join(traceback.format_exception(error)), "  "))
    return Failure(f"{type(error).__name__}: {error}", "this is a bug in tuner; please report it with the traceback", 1)


def _report(failure: Failure, *, as_json: bool) -> None:
    """Show a failure on stderr, and with ``--json`` on stdout too, if there is no other document yet."""
    if as_json and not getattr(sys.stdout, "used", False):
        print_json(failure._asdict())
    # Escaped with line breaks: a name of somebody else must not make a line that looks like ours.
    err(f"Error: {escaped(failure.error)}", style="red")
    if failure.hint:
        err(f"Hint:  {escaped(failure.hint)}")


def _finish(stdout: GuardedStream, code: int) -> int:
    """Write what stdout still holds, and return the exit code. A reader that has gone away is not an error."""
    stdout.flush()
    if stdout.error is None or isinstance(stdout.error, BrokenPipeError) or code != 0:
        return code
    reason = stdout.error.strerror or str(stdout.error)
    hint = "what is in the database is safe; write to another file, or run the command again"
    _report(Failure(f"the result cannot be written to standard output: {reason}", hint, 1), as_json=False)
    return 1


def _wants_json(words: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON, also if it cannot be parsed."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options

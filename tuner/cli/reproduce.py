"""The verb that trains a trial again: ``study reproduce``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from tuner.cli.common import as_json, data_dir, print_json, print_next, print_rich, storage_options
from tuner.errors import RunError

if TYPE_CHECKING:
    from tuner.results.reproduce import Reproduction


@click.command()
@click.argument("name")
@click.option("--trial", type=click.IntRange(min=0), help="Number of the trial.  [default: the best]")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Use the threads of one of N workers.  [default: as its run did]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Where to train.  [default: as it was]")
@click.option(
    "--executor",
    type=click.Choice(["local", "inline"]),
    default="local",
    show_default=True,
    help="Train in a worker process, or inline in this one for debugging.",
)
@as_json
@data_dir
@storage_options
def reproduce(
    *,
    name: str,
    trial: int | None,
    workers: int | None,
    device: Any,
    executor: Any,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
) -> None:
    """Train a trial of study NAME again and compare.

    Every epoch is held against the stored one. Nothing of the study is written; it may even be running. The exit code
    is 0 if all numbers came again, exactly or within 0.0001, and 1 if not.
    """
    from tuner.cli.data import DownloadBar
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home, data_dir=data_dir)
    opened.load_data(DownloadBar())
    number = (opened.best() if trial is None else opened.trial(trial)).number
    with _Epochs(number, opened.recipe.objective.metric) as epochs:
        found = opened.reproduce(number, workers=workers, device=device, executor=executor, on_epoch=epochs)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if not found.reproduced:
        raise RunError(f"trial {found.trial} of '{name}' was not reproduced", hint=_hint(found, workers))
    if not as_json:
        quoted = shlex.quote(name)
        print_next(
            [
                (f"tuner study trials {quoted} --attempts", "who trained each trial, and where"),
                (f"tuner export {quoted} -o model/", "the best model, ready for prediction"),
            ]
        )


class _Epochs:
    """Tells of each epoch on stderr: one line that is written over on a terminal, else one line each."""

    def __init__(self, trial: int, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self._on_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        """Tell what there is to wait for."""
        self._say(f"training trial {self._trial} again (importing TensorFlow takes about 10 seconds) …")
        return self

    def __call__(self, epoch: int, then: Mapping[str, float], now: Mapping[str, float]) -> None:
        """Tell of an epoch."""
        self._say(f"epoch {epoch + 1:>3}   {self._metric} {now[self._metric]:.4f}, then {then[self._metric]:.4f}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal to the result."""
        if self._on_terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def _say(self, line: str) -> None:
        if self._on_terminal:
            click.echo(f"\r\033[K{line}", nl=False, err=True)
        else:
            click.echo(line, err=True)


def _print(found: Reproduction) -> None:
    """Print the metrics of the epoch that was the best then, what is not as it was, and the verdict."""
    from tuner.report.tables import new_table

    table = new_table(f"Trial {found.trial} trained again: its best epoch, {found.best_epoch + 1} of {found.epochs}")
    table.add_column("metric")
    for name in ("then", "now", "largest difference in any epoch"):
        table.add_column(name, justify="right")
    for name, each in found.metrics.items():
        then, now = ("" if value is None else f"{value:.6f}" for value in (each.then, each.now))
        table.add_row(
            name, then, now, "" if each.difference is None else f"{each.difference:.1e}" if each.difference else "0"
        )
    print_rich(table)
    for change in found.changes:
        click.echo(str(change))
    click.echo(_verdict(found))


def _verdict(found: Reproduction) -> str:
    from tuner.results.reproduce import TOLERANCE

    epochs = "its epoch is" if found.epochs == 1 else f"all {found.epochs} epochs are"
    if found.verdict == "equal":
        return f"Reproduced: {epochs} equal to the last bit."
    if found.verdict == "close":
        return f"Reproduced: {epochs} within {TOLERANCE:g}."
    if found.first_difference is None:
        return f"Not reproduced: every epoch is, but {found.objective} of the best one was noted as {found.value.then}."
    if found.first_difference >= found.trained:
        reason = f": {found.reason}" if found.reason else ""
        return f"Not reproduced: the training ended after {found.trained} of {found.epochs} epochs{reason}."
    return (
        f"Not reproduced: epoch {found.first_difference + 1} of {found.epochs} is the first that differs by more than "
        f"{TOLERANCE:g}."
    )


def _hint(found: Reproduction, workers: int | None) -> str:
    """Say what the difference may come from."""
    if found.changes:
        return f"not as it was: {', '.join(str(change) for change in found.changes)}"
    if workers is not None:
        return "other threads add in another order: leave --workers out to train as its run did"
    return (
        "the versions are those of then; other threads (--workers), a GPU or another machine add in another order: "
        f"tuner study trials {shlex.quote(found.study)} --attempts"
    )

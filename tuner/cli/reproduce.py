"""The command ``tuner study reproduce``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from tuner.cli.common import as_json, data_dir, storage_options, study_name
from tuner.cli.output import err, out, overwrite, print_json, print_next, print_rich
from tuner.command_line import command
from tuner.errors import RunError

if TYPE_CHECKING:
    from tuner.results.reproduce import Reproduction


@click.command()
@study_name
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="Number of the trial.  [default: the best one]")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Use as many threads as one of N workers would have.  [default: the workers of its run]",
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Where to train.  [default: the device of the trial]"
)
@click.option(
    "--executor",
    type=click.Choice(["local", "inline"]),
    default="local",
    show_default=True,
    help="Train in a worker process, or inline in this process for debugging.",
)
@click.option(
    "--restore", is_flag=True, help="If the trial's model is missing and all numbers agree, keep the new one."
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
    restore: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
) -> None:
    """Train a trial of a study again and compare.

    Compares every epoch with the stored one. Changes nothing in the study, which may even be running, except with
    --restore. The exit code is 0 if all numbers are equal within 0.0001, else 1.
    """
    from tuner.cli.run import load_data
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home, data_dir=data_dir)
    load_data(study)
    number = (study.best() if trial is None else study.trial(trial)).number
    with _EpochLines(number, study.recipe.objective.metric) as on_epoch:
        reproduction = study.reproduce(
            number, workers=workers, device=device, executor=executor, restore=restore, on_epoch=on_epoch
        )
    if as_json:
        print_json(reproduction.as_json())
    else:
        _print(reproduction)
    if not reproduction.reproduced:
        raise RunError(f"trial {reproduction.trial} of '{name}' was not reproduced", hint=_hint(reproduction, workers))
    if not as_json:
        print_next(
            (command("study trials", name, attempts=True), "who trained each trial, and where"),
            (command("export", name, o="model/"), "save the best model, ready for prediction"),
        )


class _EpochLines:
    """Shows each epoch on stderr: on a terminal in one line that is overwritten, else in one line per epoch."""

    def __init__(self, trial: int, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self._on_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        """Show why nothing happens in the first seconds."""
        self._print(f"training trial {self._trial} again (importing TensorFlow takes about 10 seconds) …")
        return self

    def __call__(self, epoch: int, then: Mapping[str, float], now: Mapping[str, float]) -> None:
        """Show an epoch (0-based) with its stored and its new metrics."""
        from tuner.report.text import metric

        name = self._metric
        self._print(f"epoch {epoch + 1:>3}   {name} {metric(now[name])}, then {metric(then[name])}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the line on the terminal."""
        if self._on_terminal:
            overwrite("")

    def _print(self, line: str) -> None:
        if self._on_terminal:
            overwrite(line)
        else:
            err(line)


def _print(reproduction: Reproduction) -> None:
    """Print the metrics of the best epoch then and now, the changes of the environment, and the verdict."""
    from tuner.report.tables import new_table

    epoch = f"{reproduction.best_epoch + 1} of {reproduction.epochs}"
    table = new_table(f"Trial {reproduction.trial} trained again: its best epoch, {epoch}")
    table.add_column("metric")
    for name in ("then", "now", "largest difference in any epoch"):
        table.add_column(name, justify="right")
    for name, compared in reproduction.metrics.items():
        values = ("" if value is None else f"{value:.6f}" for value in (compared.then, compared.now))
        table.add_row(name, *values, _difference(compared.difference))
    print_rich(table)
    for change in reproduction.changes:
        out(str(change))
    out(_verdict(reproduction))
    if reproduction.restored:
        out(f"The model of trial {reproduction.trial} was restored.")


def _difference(difference: float | None) -> str:
    if difference is None:
        return ""
    return f"{difference:.1e}" if difference else "0"


def _verdict(reproduction: Reproduction) -> str:
    """Return whether the trial was reproduced, and if not, which epoch is the first that differs."""
    from tuner.results.reproduce import TOLERANCE

    trained, count = reproduction.trained, reproduction.epochs
    epochs = "its epoch is" if count == 1 else f"all {count} epochs are"
    if reproduction.verdict == "equal":
        return f"Reproduced: {epochs} equal to the last bit."
    if reproduction.verdict == "close":
        return f"Reproduced: {epochs} within {TOLERANCE:g}."
    first = reproduction.first_difference
    if first is None:
        then, now = reproduction.value.then, reproduction.value.now
        stored = f"the stored {reproduction.objective} of the trial is {then}, not {now}"
        return f"Not reproduced: {epochs} within {TOLERANCE:g}, but {stored}."
    if first >= trained:
        reason = f": {reproduction.reason}" if reproduction.reason else ""
        return f"Not reproduced: the training ended after {trained} of {count} epochs{reason}."
    return f"Not reproduced: epoch {first + 1} of {count} is the first that differs by more than {TOLERANCE:g}."


def _hint(reproduction: Reproduction, workers: int | None) -> str:
    """Return what may have caused the difference."""
    if reproduction.changes:
        return f"the environment has changed: {', '.join(str(change) for change in reproduction.changes)}"
    if workers is not None:
        return "more or fewer threads add numbers in another order: omit --workers to train as the run did"
    return (
        "the versions are the same; other threads (--workers), a GPU or another machine add numbers in another order: "
        f"{command('study trials', reproduction.study, attempts=True)}"
    )

"""The verbs on data sets: list, fetch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner.cli import common

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


@click.group()
def data() -> None:
    """The data sets."""


@data.command("list")
@common.data_dir
@common.as_json
def list_command(*, data_dir: Path | None, as_json: bool) -> None:
    """List the data sets by name, and where each was found."""
    from tuner.data.catalog import CATALOG
    from tuner.data.lookup import find

    found = [(entry, find(entry, data_dir)) for entry in CATALOG.values()]
    if as_json:
        common.print_json(
            [
                {
                    "name": entry.name,
                    "description": entry.description,
                    "train_rows": entry.train_rows,
                    "test_rows": entry.test_rows,
                    "classes": len(entry.class_names),
                    "input_shape": list(entry.input_shape),
                    "embedded": entry.embedded,
                    "path": str(path) if path else None,
                }
                for entry, path in found
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "rows", "classes", "where", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for entry, path in found:
        where = "embedded" if entry.embedded else str(path or f"not here: tuner data fetch {entry.name}")
        table.add_row(entry.name, f"{entry.train_rows} + {entry.test_rows}", str(len(entry.class_names)), where)
    Console(markup=False, highlight=False).print(table)
    common.print_next([("tuner study start digits", "search on the embedded data set")])


@data.command()
@click.argument("name")
@common.data_dir
@common.as_json
def fetch(*, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Find or download the data set NAME.

    It is validated, and its place is printed. NAME may also be an .npz file of yours.
    """
    from tuner.data.catalog import CATALOG
    from tuner.data.lookup import load_dataset

    dataset = load_dataset(name, data_dir, progress=DownloadBar())
    if as_json:
        common.print_json(
            {
                "name": dataset.name,
                "source": dataset.source,
                "train_rows": len(dataset.x_train),
                "test_rows": len(dataset.x_test),
                "input_shape": list(dataset.input_shape),
                "input_dtype": dataset.input_dtype,
                "class_names": list(dataset.class_names),
                "fingerprint": dataset.fingerprint,
            }
        )
        return
    click.echo(dataset.source)
    known = name in CATALOG
    common.print_next(
        [
            (f"tuner study start {name}", "search for the best model")
            if known
            else ("tuner space show digits", f'a search to start your own from: set data = "{shlex.quote(name)}"')
        ]
    )


class DownloadBar:
    """A bar on stderr for each file that is downloaded; the progress of :mod:`tuner.data.download`."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: Any = None

    def start(self, total_bytes: int | None, label: str) -> None:
        """Draw an empty bar."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.description}", markup=False)
        self._bar = Progress(text, BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True))
        self._task = self._bar.add_task(label, total=total_bytes)
        self._bar.start()

    def advance(self, count: int) -> None:
        """Fill the bar by so many bytes."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def finish(self) -> None:
        """Leave the bar as it is and give the line free."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

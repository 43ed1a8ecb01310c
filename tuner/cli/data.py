"""The commands ``tuner data list`` and ``fetch``, and the progress bar of a download; the others are added here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner.cli import common, output
from tuner.cli.data_inspect import inspect_command
from tuner.cli.data_show import show_command
from tuner.command_line import command

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from tuner.data.catalog import CatalogEntry


@click.group()
def data() -> None:
    """List and download data sets, and look into tables and images."""


data.add_command(inspect_command)
data.add_command(show_command)


@data.command("list")
@common.data_dir
@common.as_json
def list_command(*, data_dir: Path | None, as_json: bool) -> None:
    """List the data sets by name, with the place of each."""
    from tuner.data.catalog import CATALOG
    from tuner.data.lookup import find

    places = [(entry, find(entry, data_dir)) for entry in CATALOG.values()]
    if as_json:
        output.print_json([_entry_json(entry, path) for entry, path in places])
        return
    from rich.table import Table

    table = Table("name", "rows", "classes", "where", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for entry, path in places:
        where = "embedded" if entry.embedded else str(path or f"not here: {command('data fetch', entry.name)}")
        table.add_row(entry.name, f"{entry.train_rows} + {entry.test_rows}", str(len(entry.class_names)), where)
    output.print_rich(table)
    output.print_next((command("study start", "digits"), "search on the embedded data set"))


@data.command()
@click.argument("name", help="A name from `tuner data list`, or an .npz file of your own.")
@common.data_dir
@common.as_json
def fetch(*, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Find or download a data set and check it.

    Prints the path of the data set.
    """
    from tuner.data.lookup import load_dataset

    dataset = load_dataset(name, data_dir, progress=DownloadBar())
    if as_json:
        output.print_json(
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
    output.out(dataset.source)
    output.print_next((command("study start", name), "search for the best model"))


def _entry_json(entry: CatalogEntry, path: Path | None) -> dict[str, object]:
    """Return a data set of the catalogue as plain data."""
    return {
        "name": entry.name,
        "description": entry.description,
        "train_rows": entry.train_rows,
        "test_rows": entry.test_rows,
        "classes": len(entry.class_names),
        "input_shape": list(entry.input_shape),
        "embedded": entry.embedded,
        "path": str(path) if path else None,
    }


class DownloadBar:
    """Shows a progress bar on stderr for each downloaded file; implements :class:`tuner.data.download.Progress`."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: Any = None

    def start(self, total_bytes: int | None, label: str) -> None:
        """Draw an empty bar."""
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.description}", markup=False)
        shown = output.console(stderr=True)
        self._bar = Progress(text, BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=shown)
        self._task = self._bar.add_task(label, total=total_bytes)
        self._bar.start()

    def advance(self, count: int) -> None:
        """Advance the bar by ``count`` bytes."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def finish(self) -> None:
        """Stop drawing; the bar stays on the screen as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

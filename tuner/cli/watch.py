"""The command ``tuner study watch``."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.common import as_json, storage_options, study_name
from tuner.cli.output import err, print_json, print_next
from tuner.cli.result import print_result
from tuner.cli.run import open_display
from tuner.command_line import command

if TYPE_CHECKING:
    from tuner.run.progress import Progress
    from tuner.study import Study

INTERVAL = 1.0  # seconds between two looks at the database


@click.command()
@study_name
@click.option("--quiet", is_flag=True, help="Show nothing until the run ends.")
@as_json
@storage_options
def watch(name: str, *, quiet: bool, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Follow the run of a study from another terminal.

    Shows what `tuner study start` shows, and ends with the run. It only reads the database: Ctrl-C ends it with exit
    code 0, and the run goes on.
    """
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if not study.holdings():
        err(f"'{name}' is not running; its last run: {study.last_run()}.")
    else:
        try:
            err(f"Following '{name}'. Ctrl-C ends this command, and the run goes on.")
            with ExitStack() as stack:
                _follow(study, open_display(stack, quiet=quiet))
        except KeyboardInterrupt:
            err(f"'{name}' goes on.")
            print_next((command("study watch", name), "follow it again"), (command("study stop", name), "stop it"))
            return
        err(f"The run of '{name}' has ended; its last run: {study.last_run()}.")
    if as_json:
        print_json(study.as_json())
    else:
        print_result(study)


def _follow(study: Study, display: Progress | None) -> None:
    """Show the run until it ends, and each trial that ends meanwhile."""
    from tuner import studies
    from tuner.results.live import LiveReader

    seen: set[tuple[int, int]] | None = None
    with studies.existing(study.location, study.name) as stored:
        reader = LiveReader(stored.store)
        while True:
            now = reader.study(stored.record.optuna_id)
            if now is None:  # deleted or renamed
                return
            ended = {(end.number, attempt): end for attempt, end in reversed(now.ended)}
            if display is not None:
                display.update(now.view)
                new = ended.items() if seen is not None else list(ended.items())[-1:]
                for key, end in new:
                    if key not in (seen or ()):
                        display.ended(end, now.view)
            seen = set(ended)
            if now.line.running is None:
                return
            time.sleep(INTERVAL)

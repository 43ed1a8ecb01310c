"""Draw `docs/terminal.svg` from a real run: the live table during the run, and the result at its end.

TUNER_DATA=... .venv/bin/python docs/picture.py mnist --trials 12
"""

from __future__ import annotations

import argparse
import io
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tuner import open_study
from tuner.cli.live import announce
from tuner.cli.run_table import render
from tuner.report.tables import trials_table
from tuner.report.text import metric
from tuner.results.trials import ranked
from tuner.run.progress import Ended, Plan, RunView

MIN_EPOCHS = 3  # epochs that make a visible curve


class Camera:
    """Keeps the plan of a run, and the first view with ``min_trials`` ended trials and a curve for each running one."""

    def __init__(self, min_trials: int) -> None:
        self.min_trials = min_trials
        self.plan: Plan | None = None
        self.view: RunView | None = None

    def planned(self, plan: Plan) -> None:
        """Keep the plan."""
        self.plan = plan

    def update(self, view: RunView) -> None:
        """Keep a copy of the first view that shows enough; see the class."""
        done = view.counts.complete + view.counts.pruned
        if self.view is None and done >= self.min_trials and len(view.running) > 1:
            shown = tuple(replace(trial, values=list(trial.values)) for trial in view.running)
            if all(len(trial.values) >= MIN_EPOCHS for trial in shown):
                self.view = replace(view, running=shown)

    def ended(self, end: Ended, view: RunView) -> None:
        """Ignore the end of a single trial; the picture does not show it."""


def main() -> None:
    """Run a study in a temporary folder and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("search", nargs="?", default="mnist")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("terminal.svg"))
    options = parser.parse_args()
    camera = Camera(options.trials // 2)
    with tempfile.TemporaryDirectory() as home:
        study = open_study(options.search, home=Path(home))
        study.run(trials=options.trials, progress=camera)
        top = ranked(study.trials(), study.recipe)[:5]
        best = study.best()
    if camera.plan is None or camera.view is None:
        raise SystemExit("the run ended before there was enough to draw: use more --trials")
    console = Console(record=True, width=132, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ tuner study start {options.search} --trials {options.trials}", style="bold"))
    console.print(announce(camera.plan))
    console.print(render(camera.view))
    console.print(Text("… and at the end:", style="dim"))
    console.print(trials_table(top, study.recipe, "The best configurations"))
    tested = metric(best.test["accuracy"]) if best.test else "unknown"
    console.print(f"trial {best.number}: val_accuracy {metric(best.metrics['val_accuracy'])}   test accuracy {tested}")
    console.print(Text(f"Next: tuner export {options.search} -o model/", style="bold"))
    drawn = console.export_svg(title="tuner")
    # A picture in a README must not load a font from elsewhere; the viewer's monospace font is good enough.
    options.output.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()

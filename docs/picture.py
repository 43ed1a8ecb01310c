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
from tuner.cli.live import announce, render
from tuner.report.tables import trials_table
from tuner.report.text import metric
from tuner.results.trials import ranked
from tuner.run.progress import Ended, Plan, RunView

MIN_EPOCHS = 3  # so that every curve in the picture has a shape


class Camera:
    """Records the plan, and one view of the run after ``at`` trials have ended."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.plan: Plan | None = None
        self.view: RunView | None = None

    def planned(self, plan: Plan) -> None:
        """Record the plan."""
        self.plan = plan

    def update(self, view: RunView) -> None:
        """Record the first view with enough ended trials and enough epochs in every running trial."""
        done = view.counts.complete + view.counts.pruned
        if self.view is None and done >= self.at and len(view.running) > 1:
            running = tuple(replace(trial, values=list(trial.values)) for trial in view.running)
            if all(len(trial.values) >= MIN_EPOCHS for trial in running):
                self.view = replace(view, running=running)

    def ended(self, end: Ended, view: RunView) -> None:
        """Ignore the end of a trial; the picture does not show it."""


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
        raise SystemExit("the run ended before there was a view to draw: use more --trials")
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
    # Without the web font: a picture in a README must not load anything. Viewers use their own monospace font.
    options.output.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Renders the live pages as HTML. Every text is escaped: names, labels and reasons come from files of other people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from rich.filesize import decimal
from tuner_storage.copies import Attempt
from tuner_storage.tables import utc_now

from tuner.command_line import command_elsewhere
from tuner.printable import escaped
from tuner.records import ParamValue
from tuner.report.text import brief, duration, metric
from tuner.results.live_study import LiveLine, LiveStudy
from tuner.times import for_people

POINTS = 100  # of a curve
WIDTH, HEIGHT = 100.0, 24.0  # of a curve, in units of its picture
SHOWN = 10  # trials that have ended


class Pages:
    """The pages of one server.

    Args:
        token: What a form sends to prove that it is of this server; ``None`` leaves out all forms.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._templates = Environment(
            loader=PackageLoader("tuner.dashboard.live"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_without_controls,
        )
        self._templates.filters.update(metric=metric, duration=duration, brief=_config, size=decimal, curve=curve)

    def overview(self, studies: Sequence[LiveLine], prefix: str) -> bytes:
        """Return the page with all studies, those that run first."""
        in_order = sorted(studies, key=lambda line: line.running is None)
        return self._render("overview.html", prefix, studies=in_order, start=command_elsewhere("study start", "digits"))

    def study(self, study: LiveStudy | None, prefix: str) -> bytes | None:
        """Return the page of a study, or ``None`` if there is none."""
        if study is None:
            return None
        remaining = study.view.remaining
        return self._render(
            "study.html",
            prefix,
            line=study.line,
            view=study.view,
            trials=list(zip(study.view.running, study.trials, strict=True)),
            run=study.run,
            rate=None if study.rate is None else f"{3600 * study.rate:,.0f} trials per hour",
            ends=None if remaining is None else for_people(utc_now() + timedelta(seconds=remaining)),
            failures=_by_reason(study.failures),
            failed=len(study.failures),
            ended=[ended.end for ended in study.ended[:SHOWN]],
            models=study.models,
            again=command_elsewhere("study start", study.line.name),
        )

    def _render(self, template: str, prefix: str, **values: Any) -> bytes:
        page = self._templates.get_template(template)
        root = prefix.removesuffix("/live")
        return page.render(prefix=prefix, root=root, token=self._token, **values).encode()


def curve(values: Sequence[float]) -> str:
    """Return the points of a polyline that shows values from the first to the last, and from the lowest to the highest.

    The picture is 100 units wide and 24 high, with a margin of 2 above and below.
    """
    step = -(-len(values) // POINTS) or 1
    shown = [values[index] for index in sorted({*range(0, len(values), step), len(values) - 1})] if values else []
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    points = []
    for index, value in enumerate(shown):
        x = WIDTH * index / max(1, len(shown) - 1)
        share = (value - low) / (high - low) if high > low else 0.5
        points.append(f"{x:.1f},{HEIGHT - 2 - (HEIGHT - 4) * share:.1f}")
    return " ".join(points)


def _config(params: Mapping[str, ParamValue]) -> str:
    """Return the main parameters of a trial in one short line; HTML shows two blanks as one."""
    return brief(params).replace("  ", ", ")


def _by_reason(failures: Iterable[Attempt]) -> dict[str, list[int]]:
    """Return the trials that failed, by their reason."""
    trials: dict[str, list[int]] = {}
    for attempt in failures:
        trials.setdefault(attempt.reason or "no reason was recorded", []).append(attempt.number)
    return trials


def _without_controls(value: object) -> object:
    """Return a text with escapes instead of what would change the direction of other text; all else as it is."""
    return escaped(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value

"""Makes a page of a template: figures and Plotly are embedded compressed, and a policy forbids all other code.

Plotly's script has 4.8 MB, and 1.9 MB as gzip in base64: the browser inflates it (`DecompressionStream`, which all of
them have since 2023). The policy allows two scripts by their hashes: ours and Plotly. So no text of a study can
run as code, even if an escape were missing, and the page can request nothing.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup

_PACKAGE = "tuner.report.html"
_LEVEL = 9


def render(template: str, figures: Mapping[str, go.Figure], **context: Any) -> str:
    """Return a page.

    Args:
        template: Name of a template of this package.
        figures: The figures by the ids of their places in the page.
        context: The variables of the template. Texts are escaped.
    """
    script, style = _text("report.js"), _text("report.css")
    drawn = {name: json.loads(figure.to_json()) for name, figure in figures.items()}
    plotly, plotly_hash = _plotly()
    hashes = " ".join(f"'sha256-{value}'" for value in (_hash(script), plotly_hash))
    # Plotly sets styles of elements, and draws pictures of what it exports as data.
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
    )
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy + "form-action 'none'",
            style=Markup(style),  # noqa: S704 - a file of ours, as the other three
            script=Markup(script),  # noqa: S704
            plotly=Markup(plotly if drawn else ""),  # noqa: S704
            figures=Markup(_packed(json.dumps(drawn, allow_nan=False))),  # noqa: S704
            drawn=frozenset(drawn),
            **context,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _plotly() -> tuple[str, str]:
    """Return Plotly's script as text for the page, and its hash."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return _packed(script), _hash(script)


def _packed(text: str) -> str:
    """Return a text as gzip in base64, which holds nothing that HTML reads. The same text gives the same result."""
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode("ascii")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _text(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")

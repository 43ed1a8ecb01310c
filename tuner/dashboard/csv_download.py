"""Makes the dashboard's CSV download safe for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from tuner.dashboard.wsgi import Application, Environ, StartResponse
from tuner.spreadsheet import safe_cell


def with_safe_csv(application: Application) -> Application:
    """Return ``application`` with every CSV response rewritten by :func:`tuner.spreadsheet.safe_cell`.

    Labels, reasons and attributes of a study may come from other people.
    """

    def rewritten(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response: list[Any] = []

        def keep_response(*parts: Any) -> None:
            response[:] = parts

        body = application(environ, keep_response)
        status, headers, *rest = response
        if not any(name.lower() == "content-type" and value.startswith("text/csv") for name, value in headers):
            start_response(status, headers, *rest)
            return body
        safe = _safe_csv(b"".join(body))
        kept = [(name, value) for name, value in headers if name.lower() not in {"content-length", "content-type"}]
        length = ("Content-Length", str(len(safe)))
        start_response(status, [*kept, ("Content-Type", "text/csv; charset=utf-8"), length], *rest)
        return [safe]

    return rewritten


def _safe_csv(table: bytes) -> bytes:
    rows = csv.reader(io.StringIO(table.decode(), newline=""))
    safe = io.StringIO(newline="")
    csv.writer(safe).writerows([safe_cell(cell) for cell in row] for row in rows)
    return safe.getvalue().encode()

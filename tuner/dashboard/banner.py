"""Says on every page of a read-only dashboard that it is read-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuner.dashboard.wsgi import Application, Environ, StartResponse

_STYLE = (
    "position:fixed;bottom:0;right:0;z-index:9999;padding:2px 10px;font:12px sans-serif;background:#ffe9a8;color:#333"
)
_BANNER = f'<div style="{_STYLE}">read-only</div>'.encode()


def with_banner(application: Application) -> Application:
    """Return ``application`` with a banner on its pages."""

    def marked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started: list[Any] = []
        body = application(environ, lambda *arguments: started.extend(arguments))
        status, headers, *rest = started
        is_page = dict(headers).get("Content-Type", "").startswith("text/html")
        if environ["REQUEST_METHOD"] == "GET" and is_page and status.startswith("200"):
            try:
                page = b"".join(body).replace(b"<body>", b"<body>" + _BANNER, 1)
            finally:
                getattr(body, "close", lambda: None)()
            headers = [header for header in headers if header[0] != "Content-Length"]
            body, headers = [page], [*headers, ("Content-Length", str(len(page)))]
        start_response(status, headers, *rest)
        return body

    return marked

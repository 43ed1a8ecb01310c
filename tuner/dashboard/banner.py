"""A corner on every page of Optuna's dashboard: the live page, whether it is read-only, and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from tuner.dashboard.wsgi import Application, Environ, StartResponse

_STYLE = (
    "position:fixed;bottom:0;right:0;z-index:9999;display:flex;gap:8px;padding:2px 10px;font:12px sans-serif;"
    "background:#ffe9a8;color:#333"
)
_LINK = "color:#1a5fb4;text-decoration:underline"
_BUTTON = f"border:0;padding:0;background:none;font:inherit;cursor:pointer;{_LINK}"
_WHY = "Buttons that would change a study are refused. Start the dashboard with --allow-edit to use them."


def with_banner(application: Application, *, read_only: bool, logout: bool) -> Application:
    """Return ``application`` with a banner on its pages.

    Args:
        application: Its pages have a ``<body>`` without attributes.
        read_only: Whether the banner says that nothing can be changed.
        logout: Whether it has a button that ends the session.
    """

    def marked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started: list[Any] = []
        body = application(environ, lambda *arguments: started.extend(arguments))
        status, headers, *rest = started
        is_page = dict(headers).get("Content-Type", "").startswith("text/html")
        if environ["REQUEST_METHOD"] == "GET" and is_page and status.startswith("200"):
            banner = _banner(environ["SCRIPT_NAME"], read_only=read_only, logout=logout)
            try:
                page = b"".join(body).replace(b"<body>", b"<body>" + banner, 1)
            finally:
                getattr(body, "close", lambda: None)()
            headers = [header for header in headers if header[0] != "Content-Length"]
            body, headers = [page], [*headers, ("Content-Length", str(len(page)))]
        start_response(status, headers, *rest)
        return body

    return marked


def _banner(root: str, *, read_only: bool, logout: bool) -> bytes:
    parts = [f'<a href="{escape(root)}/live" style="{_LINK}">live</a>']
    if read_only:
        parts.append(f'<span title="{_WHY}">read-only</span>')
    if logout:
        action = f"{escape(root)}/logout"
        parts.append(f'<form method="post" action="{action}"><button style="{_BUTTON}">Log out</button></form>')
    return f'<div style="{_STYLE}">{"".join(parts)}</div>'.encode()

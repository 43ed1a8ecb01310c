"""Headers of every response that tell a browser what it must not do with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from tuner.dashboard.wsgi import Application, Environ, StartResponse, refuse

# As the dashboard's own policy, but no page may show it in a frame and no form may leave it.
_POLICY = (
    "default-src 'self'",
    "img-src 'self' data: blob:",
    "style-src 'self' data: 'unsafe-inline'",
    "script-src 'self' 'unsafe-eval'",  # the parallel coordinates compile their WebGL code
    "connect-src 'self'",
    "object-src 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
)
SECURITY = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NAMES = {name.lower() for name in SECURITY}

_log = logging.getLogger(__name__)


def with_security_headers(application: Application) -> Application:
    """Return ``application`` with the headers of ``SECURITY`` on every response, also if it raises an exception."""

    def protected(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() not in _NAMES]
            return start_response(status, [*kept, *SECURITY.items()], *rest)

        try:
            return application(environ, start)
        except Exception:  # noqa: BLE001 - an answer without these headers is worse than a vague one
            _log.exception("a request to the dashboard failed")
            return refuse(start, "internal error", HTTPStatus.INTERNAL_SERVER_ERROR)

    return protected

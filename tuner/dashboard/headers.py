"""Headers of every response that tell a browser what it must not do with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from tuner.dashboard.wsgi import Application, Environ, StartResponse, refuse

_EVERYWHERE = (
    "object-src 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
)
# Of our own pages and of all answers that are no page: scripts and styles are files of ours.
OWN_POLICY = "; ".join(("default-src 'self'", "img-src 'self' data:", *_EVERYWHERE))
# As the policy that Optuna's dashboard has itself, but no page may show it in a frame and no form may leave it.
OPTUNA_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' data: 'unsafe-inline'",
        "script-src 'self' 'unsafe-eval'",  # the parallel coordinates compile their WebGL code
        "connect-src 'self'",
        *_EVERYWHERE,
    )
)
POLICY = "tuner.policy"  # the key of `environ` by which an application sets another policy than `OWN_POLICY`

SECURITY = {
    "Content-Security-Policy": OWN_POLICY,
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NAMES = {name.lower() for name in SECURITY}

_log = logging.getLogger(__name__)


def with_security_headers(application: Application) -> Application:
    """Return ``application`` with the headers of ``SECURITY`` on every response, also if it raises an exception.

    An application that needs another content security policy sets ``environ[POLICY]`` before it answers.
    """

    def protected(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() not in _NAMES]
            ours = SECURITY | {"Content-Security-Policy": environ.get(POLICY, OWN_POLICY)}
            return start_response(status, [*kept, *ours.items()], *rest)

        try:
            return application(environ, start)
        except Exception:  # noqa: BLE001 - an answer without these headers is worse than a vague one
            _log.exception("a request to the dashboard failed")
            environ.pop(POLICY, None)
            return refuse(start, "internal error", HTTPStatus.INTERNAL_SERVER_ERROR)

    return protected


def with_policy(application: Application, policy: str) -> Application:
    """Return ``application`` with another content security policy on its responses."""

    def marked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ[POLICY] = policy
        return application(environ, start_response)

    return marked

"""What the parts of the dashboard's server share: the types of WSGI, and answers to requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def refuse(start_response: StartResponse, reason: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> list[bytes]:
    """Begin an answer that refuses a request, and return its body. The dashboard's page shows the reason."""
    body = json.dumps({"reason": reason}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD"))
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def redirect(start_response: StartResponse, path: str, *headers: tuple[str, str]) -> list[bytes]:
    """Begin an answer that leads a browser to another path of this server, and return its body."""
    start_response(
        "303 See Other", [("Location", path), ("Content-Length", "0"), ("Cache-Control", "no-store"), *headers]
    )
    return []


def answer(
    start_response: StartResponse, body: bytes, content_type: str, *headers: tuple[str, str], status: str = "200 OK"
) -> list[bytes]:
    """Begin an answer with a body, and return the body."""
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers])
    return [body]


def without_body_for_head(application: Application) -> Application:
    """Return ``application`` whose answers to HEAD have the same headers as those to GET, and no body."""

    def checked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "HEAD":
            return body
        getattr(body, "close", lambda: None)()
        return []

    return checked

"""What the parts of the dashboard's server share: the types of WSGI, and the answer to a refused request."""

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

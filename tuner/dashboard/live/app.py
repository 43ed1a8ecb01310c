"""The WSGI application of the live page: which request gets which answer."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs

from tuner_storage import Store

from tuner.dashboard.live.downloads import send_model
from tuner.dashboard.live.pages import Pages
from tuner.dashboard.wsgi import Environ, StartResponse, answer, redirect, refuse
from tuner.results.live import LiveReader

FRESH = 1.0  # seconds for which an answer is used again, so that many open tabs cost one look at the database
MAX_KEPT = 100  # answers
MAX_FORM = 1000  # bytes
_STATIC = {"live.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}
_STUDY = re.compile("/([0-9]{1,9})")
_STOP = re.compile("/([0-9]{1,9})/stop")
_MODEL = re.compile("/([0-9]{1,9})/models/([0-9]{1,9})")
_HTML = "text/html; charset=utf-8"
_NOT_KEPT = ("Cache-Control", "no-store")


class LivePages:
    """The application. It reads, and writes one thing: the request that a run stops.

    Args:
        store: An open store.
        allow_edit: Whether the pages have a button that stops a run.
    """

    def __init__(self, store: Store, *, allow_edit: bool) -> None:
        self._store = store
        self._reader = LiveReader(store)
        self._token = secrets.token_urlsafe(16) if allow_edit else None
        self._pages = Pages(self._token)
        self._kept = _Kept()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._stop(_STOP.fullmatch(path), environ, start_response)
        if path.startswith("/static/"):
            return _static(start_response, path.removeprefix("/static/"))
        if model := _MODEL.fullmatch(path):
            return send_model(self._store, int(model[1]), int(model[2]), environ, start_response)
        prefix = environ["SCRIPT_NAME"]
        return _page(start_response, self._kept.get(f"{prefix} {path}", lambda: self._body(path, prefix)))

    def _body(self, path: str, prefix: str) -> bytes | None:
        if path in {"", "/"}:
            return self._pages.overview(self._reader.studies(), prefix)
        study = _STUDY.fullmatch(path)
        return self._pages.study(self._reader.study(int(study[1])), prefix) if study else None

    def _stop(self, path: re.Match[str] | None, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._token is None or path is None:
            return refuse(start_response, "the live page does not offer this")
        if not hmac.compare_digest(_form(environ).get("token", [""])[0].encode(), self._token.encode()):
            return refuse(start_response, "this form is old: load the page again")
        found = self._store.find_study(int(path[1]))
        if found is None:
            return _page(start_response, None)
        self._store.request_stop(found.id)
        self._kept.clear()
        return redirect(start_response, f"{environ['SCRIPT_NAME']}/{path[1]}")


class _Kept:
    """Keeps answers for a moment. Requests at the same time wait for one that computes."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, bytes | None]] = {}
        self._lock = Lock()

    def get(self, key: str, compute: Callable[[], bytes | None]) -> bytes | None:
        """Return the answer that is kept, or compute it."""
        with self._lock:
            until, body = self._answers.get(key, (0.0, None))
            if time.monotonic() >= until:
                body = compute()
                if len(self._answers) >= MAX_KEPT:
                    self._answers.clear()
                self._answers[key] = time.monotonic() + FRESH, body
            return body

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()


def _page(start_response: StartResponse, body: bytes | None) -> Iterable[bytes]:
    if body is None:
        return refuse(start_response, "there is no such page", HTTPStatus.NOT_FOUND)
    return answer(start_response, body, _HTML, _NOT_KEPT)


def _static(start_response: StartResponse, name: str) -> Iterable[bytes]:
    if name not in _STATIC:
        return _page(start_response, None)
    body = (Path(__file__).parent / "static" / name).read_bytes()
    return answer(start_response, body, _STATIC[name], ("Cache-Control", "no-cache"))


def _form(environ: Environ) -> dict[str, list[str]]:
    """Return the fields of a form; none if it is no form of ours."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit() or int(length) > MAX_FORM:
        return {}
    return parse_qs(environ["wsgi.input"].read(int(length)).decode("ascii", "replace"))

"""The login: a page that works without JavaScript, and a cookie for those who know the secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader

from tuner.dashboard.attempts import Attempts
from tuner.dashboard.secret import LONGEST, Secret
from tuner.dashboard.sessions import Sessions
from tuner.dashboard.wsgi import Application, Environ, StartResponse, answer, redirect, refuse

_LONGEST_FORM = 8 * LONGEST  # bytes; a character of a form takes up to 12
_FIRST_PAGE = "/dashboard"
_OUR_PAGE = re.compile(r"/[A-Za-z0-9][A-Za-z0-9/?&=_.,%-]*")  # never //host, which would lead elsewhere
_HTML = "text/html; charset=utf-8"
_NO_STORE = ("Cache-Control", "no-store")


class Login:
    """An application that lets only requests with a session through to another one.

    Without a session, it answers the login page and its style, and refuses everything else. ``/login?token=...`` is the
    link for a generated token: it sets the cookie and leads on, so that the token stays in no address bar.

    The cookie is not sent when a page of another site leads here (``SameSite=Strict``). Then the answer is a page that
    leads to the same place once more, which is a request of our own page, with the cookie.

    Args:
        application: What answers requests with a session.
        secret: The password or token.
        sessions: Makes and checks sessions.
        attempts: Limits the attempts.
    """

    def __init__(
        self,
        application: Application,
        secret: Secret,
        *,
        sessions: Sessions | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._application = application
        self._secret = secret
        self._sessions = sessions or Sessions()
        self._attempts = attempts or Attempts()
        self._templates = Environment(loader=PackageLoader("tuner.dashboard"), autoescape=True)
        self._style = files("tuner.dashboard").joinpath("templates", "login.css").read_bytes()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        method, path = environ["REQUEST_METHOD"].replace("HEAD", "GET"), environ["PATH_INFO"]
        match method, path:
            case "GET", "/login.css":
                return answer(start_response, self._style, "text/css; charset=utf-8")
            case "GET", "/login":
                return self._page(environ, start_response)
            case "POST", "/login":
                return self._submitted(environ, start_response)
        session = self._session(environ)
        if session is None:
            return self._ask(environ, start_response)
        if (method, path) == ("POST", "/logout"):
            self._sessions.end(session)
            return redirect(start_response, f"{environ['SCRIPT_NAME']}/login", self._cookie(environ, "", "; Max-Age=0"))
        return self._application(environ, _uncached(environ, start_response))

    def _page(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        query = _fields(environ["QUERY_STRING"])
        goal = _goal(query)
        if "token" in query:
            return self._attempt(environ, start_response, query["token"], goal)
        if self._session(environ) is not None:
            return redirect(start_response, environ["SCRIPT_NAME"] + goal)
        if environ.get("HTTP_SEC_FETCH_SITE") in {"cross-site", "same-site"}:
            page = self._render("continue.html", environ, goal=goal)
            return answer(start_response, page, _HTML, _NO_STORE)
        return self._form(environ, start_response, goal)

    def _submitted(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if int(environ.get("CONTENT_LENGTH") or 0) > _LONGEST_FORM:
            return refuse(start_response, "this form is too long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        fields = _fields(environ["wsgi.input"].read(_LONGEST_FORM).decode("latin-1"))
        return self._attempt(environ, start_response, fields.get("password", ""), _goal(fields))

    def _attempt(self, environ: Environ, start_response: StartResponse, text: str, goal: str) -> list[bytes]:
        right, wait = self._attempts.check(lambda: self._secret.matches(text[:LONGEST]))
        if not right:
            return self._form(environ, start_response, goal, failed=True, wait=wait)
        cookie = self._cookie(environ, self._sessions.new())
        return redirect(start_response, f"{environ['SCRIPT_NAME']}/login?next={quote(goal)}", cookie)

    def _form(
        self, environ: Environ, start_response: StartResponse, goal: str, *, failed: bool = False, wait: int = 0
    ) -> list[bytes]:
        is_token = self._secret.token is not None
        page = self._render("login.html", environ, goal=goal, failed=failed, wait=wait, is_token=is_token)
        status = HTTPStatus.OK if not failed else HTTPStatus.TOO_MANY_REQUESTS if wait else HTTPStatus.FORBIDDEN
        later = [("Retry-After", str(wait))] if wait else []
        return answer(start_response, page, _HTML, _NO_STORE, *later, status=f"{status.value} {status.phrase}")

    def _ask(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Lead a browser that wants a page to the login, and refuse every other request."""
        path = environ["PATH_INFO"]
        is_page = environ["REQUEST_METHOD"] == "GET" and "text/html" in environ.get("HTTP_ACCEPT", "")
        if not is_page or path.startswith("/api/"):
            return refuse(start_response, "log in first, at /login", HTTPStatus.UNAUTHORIZED)
        goal = _goal({"next": f"{path}?{environ['QUERY_STRING']}".removesuffix("?")})
        return redirect(start_response, f"{environ['SCRIPT_NAME']}/login?next={quote(goal)}")

    def _session(self, environ: Environ) -> str | None:
        """Return the valid session of a request."""
        name = _cookie_name(environ)
        for cookie in environ.get("HTTP_COOKIE", "").split(";"):
            key, _, value = cookie.strip().partition("=")
            if key == name and self._sessions.is_valid(value):
                return str(value)
        return None

    def _cookie(self, environ: Environ, value: str, more: str = "") -> tuple[str, str]:
        secure = "; Secure" if environ["wsgi.url_scheme"] == "https" else ""
        place = f"Path={environ['SCRIPT_NAME'] or '/'}; HttpOnly; SameSite=Strict"
        return "Set-Cookie", f"{_cookie_name(environ)}={value}; {place}{secure}{more}"

    def _render(self, template: str, environ: Environ, **values: object) -> bytes:
        return self._templates.get_template(template).render(root=environ["SCRIPT_NAME"], **values).encode()


def _cookie_name(environ: Environ) -> str:
    """Return a name with the port, because a browser sends cookies to all ports of a machine."""
    return f"tuner_session_{environ['SERVER_PORT']}"


def _fields(text: str) -> dict[str, str]:
    """Return the first value of each field of a query or a form."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True, errors="replace").items()}


def _goal(fields: dict[str, str]) -> str:
    """Return the page to show after the login; one of ours, whatever a link says."""
    goal = fields.get("next", "")
    return goal if _OUR_PAGE.fullmatch(goal) and not goal.startswith("/login") else _FIRST_PAGE


def _uncached(environ: Environ, start_response: StartResponse) -> StartResponse:
    """Return ``start_response``, but nothing of a study stays in a browser after the logout."""
    if environ["PATH_INFO"].startswith("/static/"):
        return start_response

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        kept = [(name, value) for name, value in headers if name.lower() != "cache-control"]
        return start_response(status, [*kept, _NO_STORE], *rest)

    return start

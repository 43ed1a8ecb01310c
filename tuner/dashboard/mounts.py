"""Further WSGI applications beside Optuna's dashboard, each below a path of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from tuner.dashboard.routes import READ_ONLY
from tuner.dashboard.wsgi import Application, Environ, StartResponse, redirect, refuse

_READING = ("GET", "HEAD")


def with_mounts(pages: Application, mounts: Mapping[str, Application], *, allow_edit: bool) -> Application:
    """Return an application that sends every request to ``pages`` or to one of ``mounts``, and ``/`` to the dashboard.

    A mounted application gets only requests that were checked before: of a known host, not of another site, and logged
    in if a login is due. It gets GET and HEAD, and POST with ``allow_edit``. Its links begin with ``SCRIPT_NAME``. It
    has the policy :data:`tuner.dashboard.headers.OWN_POLICY`: no scripts or styles inside a page, no ``eval``.

    Args:
        pages: What answers all other paths.
        mounts: Applications by path, such as ``/live``. They get what follows as ``PATH_INFO``, which may be empty.
        allow_edit: Whether they may change something.
    """

    def dispatch(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/" and method in _READING:  # the dashboard would redirect to an address that headers can change
            return redirect(start_response, environ["SCRIPT_NAME"] + "/dashboard")
        place = next((place for place in mounts if path == place or path.startswith(f"{place}/")), None)
        if place is None:
            return pages(environ, start_response)
        if method not in _READING and not (allow_edit and method == "POST"):
            return refuse(start_response, READ_ONLY, HTTPStatus.METHOD_NOT_ALLOWED)
        environ["SCRIPT_NAME"] += place
        environ["PATH_INFO"] = path.removeprefix(place)
        return mounts[place](environ, start_response)

    return dispatch

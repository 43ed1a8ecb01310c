"""Passes the requests that the dashboard's pages need, and refuses every other one.

Method and path are compared exactly, with ASCII letters and digits. The dashboard itself is tolerant: it also accepts
methods in small letters, drops bytes that are not UTF-8, and reads any digit of Unicode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from tuner.dashboard.wsgi import Application, Environ, StartResponse, refuse

READ_ONLY = "this dashboard is read-only; to change studies, start it with: tuner dashboard --allow-edit"
NO_ROUTE = "the dashboard of tuner does not offer this"

_ID = "[0-9]{1,9}"
_STUDY = f"/api/studies/{_ID}"
_READ_PATHS = (
    "/dashboard(?:/[A-Za-z0-9/_-]*)?",
    "/favicon[.]ico",
    "/static/[A-Za-z0-9][A-Za-z0-9._-]*",
    "/api/meta",
    "/api/studies",
    _STUDY,
    f"{_STUDY}/param_importances",
    f"{_STUDY}/plot/[a-z_]+",
    f"/csv/{_ID}",
)
_EDIT_PATHS = {
    "PUT": (f"{_STUDY}/note", f"{_STUDY}/{_ID}/note"),
    "POST": (f"{_STUDY}/rename", f"/api/trials/{_ID}/user-attrs"),
    "DELETE": (_STUDY,),
}
_READ = re.compile("|".join(_READ_PATHS))
_EDIT = {method: re.compile("|".join(paths)) for method, paths in _EDIT_PATHS.items()}
_NEED_JSON = ("PUT", "POST")


def only_known_routes(application: Application, *, allow_edit: bool) -> Application:
    """Return ``application`` for the routes that read, and with ``allow_edit`` also those that edit a study.

    No route makes a study or a trial, or ends a trial.
    """

    def checked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method in {"GET", "HEAD"}:
            if not _READ.fullmatch(path):
                return refuse(start_response, NO_ROUTE)
            environ.setdefault("HTTP_ACCEPT_ENCODING", "")  # the dashboard fails without it
            return application(environ, start_response)
        if not allow_edit:
            return refuse(start_response, READ_ONLY, HTTPStatus.METHOD_NOT_ALLOWED)
        if method not in _EDIT or not _EDIT[method].fullmatch(path):
            return refuse(start_response, NO_ROUTE)
        # A form of another site cannot send this type.
        if method in _NEED_JSON and environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
            return refuse(start_response, "send JSON", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return application(environ, start_response)

    return checked

"""The dashboard below a path of a proxy, such as ``/tuner``.

Optuna's page and its script name absolute paths. They are rewritten in four places; a version that names them in other
places is refused when the server starts.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from importlib.resources import files

from tuner.dashboard.wsgi import Application, Environ, StartResponse, answer
from tuner.errors import UsageError

_SCRIPT = "/static/bundle.js"
# Each pattern, how often it is there, and what goes in front of its second group.
_IN_PAGE = ((rb'(src=")(/static/bundle[.]js")', 1),)
_IN_SCRIPT = (
    (rb'(url_prefix:")(/dashboard")', 1),  # the pages
    (rb"(`)(/csv/\$\{)", 2),  # the downloads
)
_REQUESTS = rb"\}\}\(void 0\)(?=,[\w$]+=\(\{children)"  # the client of /api is made without the address of a server


def below(application: Application, root_path: str) -> Application:
    """Return ``application`` for requests whose paths begin with ``root_path``, or from which a proxy removed it.

    Args:
        application: It finds ``root_path`` as ``SCRIPT_NAME``, with which its links begin.
        root_path: The path, without a slash at the end.
    """

    def shortened(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == root_path or path.startswith(f"{root_path}/"):
            environ["PATH_INFO"] = path.removeprefix(root_path) or "/"
        environ["SCRIPT_NAME"] = root_path
        return application(environ, start_response)

    return shortened


def with_root_path(pages: Application, root_path: str) -> Application:
    """Return Optuna's pages with ``root_path`` in front of the paths that they name.

    Raises:
        UsageError: If this version of the dashboard has these paths in other places.
    """
    root = root_path.encode()
    folder = files("optuna_dashboard")
    page, script = folder.joinpath("index.html").read_bytes(), folder.joinpath("public", "bundle.js").read_bytes()
    for pattern, times in _IN_PAGE:
        page = _replace(page, pattern, rb"\1" + root + rb"\2", times)
    page = _replace(page, rb"(</title>)", rb'\1<link rel="icon" href="' + root + rb'/favicon.ico">', 1)
    for pattern, times in _IN_SCRIPT:
        script = _replace(script, pattern, rb"\1" + root + rb"\2", times)
    script = _replace(script, _REQUESTS, rb'}}("' + root + rb'")', 1)
    packed = gzip.compress(script)

    def rewritten(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/dashboard" or path.startswith("/dashboard/"):
            return answer(start_response, page, "text/html; charset=UTF-8")
        if path != _SCRIPT:
            return pages(environ, start_response)
        kind = "text/javascript; charset=utf-8"
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
            return answer(start_response, packed, kind, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        return answer(start_response, script, kind, ("Vary", "Accept-Encoding"))

    return rewritten


def _replace(text: bytes, pattern: bytes, replacement: bytes, times: int) -> bytes:
    changed, count = re.subn(pattern, replacement, text)
    if count != times:
        raise UsageError(
            "--root-path does not work with this version of optuna-dashboard",
            hint="give the dashboard a host name of its own, such as tuner.example.org",
        )
    return changed

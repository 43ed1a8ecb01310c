"""Refuses requests that pages of other sites make a browser send, and requests for other host names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuner.dashboard.wsgi import Application, Environ, StartResponse, refuse

_FROM_HERE = ("same-origin", "none")  # of the page itself, or of the user: a typed address, a bookmark
_LOCAL_TARGET = re.compile("/(?!/)")
_PROXIES = ("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED")


def only_from_here(application: Application, hosts: Iterable[str]) -> Application:
    """Return ``application`` for requests that name one of our hosts and do not come from a page of another site.

    A foreign page can let its host name point to 127.0.0.1 (DNS rebinding): the browser still sends the foreign name
    as ``Host``. Any port is allowed, for tunnels. A page at another port is another site. Of several ``Host`` headers,
    the server makes one value with commas, which is no name. A target such as ``http://name/path`` is refused, because
    its name would replace that of ``Host``; so is ``//name/path``.

    Args:
        application: What answers the other requests.
        hosts: The host names, without ports.
    """
    ours = re.compile(rf"(?:{'|'.join(map(re.escape, hosts))})(?::[0-9]{{1,5}})?", re.IGNORECASE)

    def checked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        for name in _PROXIES:  # anybody can send them
            environ.pop(name, None)
        if not _LOCAL_TARGET.match(environ["REQUEST_URI"]):
            return refuse(start_response, "this dashboard answers paths only")
        host = environ.get("HTTP_HOST", "")
        if not ours.fullmatch(host):
            return refuse(start_response, "this dashboard is not available under this host name")
        if not _is_from_here(environ, host):
            return refuse(start_response, "this dashboard answers no requests of other web sites")
        return application(environ, start_response)

    return checked


def _is_from_here(environ: Environ, host: str) -> bool:
    """Return whether a request comes from our page, from the user, or from no browser.

    Every browser since 2023 sends ``Sec-Fetch-Site``, and every browser sends ``Origin`` with what may change
    something. Pages cannot set either.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is None:
        ours = f"{environ['wsgi.url_scheme']}://{host}"
        return str(environ.get("HTTP_ORIGIN", ours)).lower() == ours.lower()
    return site in _FROM_HERE or _is_link(environ)


def _is_link(environ: Environ) -> bool:
    """Return whether a request is that of a link in a page of another site, whose target replaces this page."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"  # not a frame, an object or an embedded image
    )

"""Who can reach the dashboard, and what that takes: an address, host names, a login, encryption, a proxy."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from tuner.dashboard.secret import Secret
from tuner.dashboard.tls import tls_context
from tuner.errors import UsageError

LOCAL = "127.0.0.1"
_LOCAL_NAMES = (LOCAL, "localhost", "[::1]")  # a tunnel may use any of them
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_OUR_PATHS = {"api", "csv", "dashboard", "live", "login", "logout", "static"}  # the first parts of our own paths


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who can reach the dashboard. By default: this machine only, without a login.

    A login is due with a password file, and as soon as others may reach the dashboard: at another address than that of
    this machine, behind a proxy, or under another name.

    Args:
        host: The IP address to listen on. Another one than that of this machine needs TLS or a proxy.
        allow_hosts: Further names that browsers may use, without ports.
        password_file: A file with the password, for its owner only. Without one, a token is made if a login is due.
        tls_cert: The certificate and those that vouch for it, as PEM.
        tls_key: Its key, as PEM.
        behind_proxy: Whether a proxy encrypts what leaves this machine.
        root_path: What the proxy puts before all paths, such as ``/tuner``.

    Raises:
        UsageError: If the options do not fit together.
    """

    host: str = LOCAL
    allow_hosts: tuple[str, ...] = ()
    password_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    root_path: str = ""

    def __post_init__(self) -> None:
        """Check the options."""
        ip = self._ip
        for name in self.allow_hosts:
            if not _NAME.fullmatch(name):
                raise UsageError(
                    f"--allow-host takes a host name without a port, got {name!r}", hint="such as tuner.example.org"
                )
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("--tls-cert", "--tls-key") if self.tls_key is None else ("--tls-key", "--tls-cert")
            raise UsageError(f"{given} needs {missing}", hint="name the files of a certificate and of its key")
        if not ip.is_loopback and self.tls_cert is None and not self.behind_proxy:
            raise UsageError(
                f"at the address {self.host}, the password and the studies would cross the network unencrypted",
                hint="add --tls-cert FILE --tls-key FILE, or --behind-proxy if a proxy encrypts; "
                "without --host, only this machine can reach the dashboard",
            )
        if not _ROOT_PATH.fullmatch(self.root_path):
            raise UsageError(
                f"--root-path takes a path that begins with / and ends without one, got {self.root_path!r}",
                hint="such as /tuner: letters, digits and . _ ~ - between the slashes",
            )
        if self.root_path and not self.behind_proxy:
            raise UsageError("--root-path needs --behind-proxy", hint="it is the path at which a proxy is asked for us")
        if self.root_path.split("/")[1:2] and self.root_path.split("/")[1] in _OUR_PATHS:
            raise UsageError(
                f"--root-path {self.root_path} begins as a path of the dashboard itself", hint="such as /tuner"
            )

    @property
    def needs_login(self) -> bool:
        """Whether only those who know a secret may see anything."""
        return self.password_file is not None or self.for_others

    @property
    def for_others(self) -> bool:
        """Whether others than the users of this machine can reach the dashboard."""
        return self.behind_proxy or bool(self.allow_hosts) or not self._ip.is_loopback

    @property
    def bind(self) -> str:
        """The IP address to listen on."""
        return str(self._ip)

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that a request may have."""
        names = [*_LOCAL_NAMES, *self.allow_hosts]
        if not self._ip.is_loopback:
            names += [_in_url(self.bind), socket.gethostname()]
        return tuple(names)

    @property
    def scheme(self) -> str:
        """What browsers type before the name."""
        return "https" if self.tls_cert or self.behind_proxy else "http"

    def base_url(self, port: int) -> str:
        """Return what the addresses of all pages begin with, without a slash at the end.

        Args:
            port: The port that is open. A proxy has its own, the usual one.
        """
        if self.behind_proxy and self.allow_hosts:
            return f"https://{self.allow_hosts[0]}{self.root_path}"
        name = self.allow_hosts[0] if self.allow_hosts else _in_url(self.bind)
        if self._ip.is_unspecified and not self.allow_hosts:
            name = socket.gethostname()
        scheme = "https" if self.tls_cert else "http"
        return f"{scheme}://{name}:{port}{self.root_path}"

    def secret(self) -> Secret | None:
        """Return what a login takes; ``None`` if none is due.

        Raises:
            UsageError: If the password file cannot be used.
        """
        if self.password_file is not None:
            return Secret.from_file(self.password_file)
        return Secret.generated() if self.needs_login else None

    def tls(self) -> ssl.SSLContext | None:
        """Return certificate and key; ``None`` without TLS.

        Raises:
            UsageError: If they cannot be used.
        """
        return tls_context(self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None

    @property
    def _ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        try:
            return ipaddress.ip_address(LOCAL if self.host == "localhost" else self.host)
        except ValueError:
            raise UsageError(
                f"--host takes an IP address, got {self.host!r}",
                hint=f"{LOCAL} is this machine only, 0.0.0.0 every network that it is in",
            ) from None


def _in_url(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip

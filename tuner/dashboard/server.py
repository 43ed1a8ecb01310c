"""Serves Optuna's dashboard, and further applications, to those who may see them."""

from __future__ import annotations

import errno
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Self, cast

from optuna.storages import BaseStorage
from tuner_storage import Location, open_store

from tuner.command_line import command
from tuner.dashboard.access import Access
from tuner.dashboard.banner import with_banner
from tuner.dashboard.csv_download import with_safe_csv
from tuner.dashboard.edits import guarded_edits
from tuner.dashboard.headers import OPTUNA_POLICY, with_policy, with_security_headers
from tuner.dashboard.http_server import HttpServer
from tuner.dashboard.large_studies import QuickProperties, ThinnedStorage
from tuner.dashboard.live.app import LivePages
from tuner.dashboard.login import Login
from tuner.dashboard.mounts import with_mounts
from tuner.dashboard.origins import only_from_here
from tuner.dashboard.root_path import below, with_root_path
from tuner.dashboard.routes import only_known_routes
from tuner.dashboard.wsgi import Application, without_body_for_head
from tuner.errors import RunError

_LOCAL_ONLY = Access()
_NO_MOUNTS: Mapping[str, Application] = MappingProxyType({})


class DashboardServer:
    """A server of the dashboard for one database; a context manager.

    Args:
        location: The database; it must exist.
        port: The port; 0 takes any free one.
        allow_edit: Whether notes and attributes may be written, and studies that no run holds renamed and deleted.
        access: Who can reach it, and how.
        mounts: Further applications by path, see :func:`tuner.dashboard.mounts.with_mounts`.

    Raises:
        StorageError: If the database does not exist or cannot be used.
        UsageError: If the password file or the certificate cannot be used.
        RunError: If the port cannot be opened.
    """

    def __init__(
        self,
        location: Location,
        port: int,
        *,
        allow_edit: bool = False,
        access: Access = _LOCAL_ONLY,
        mounts: Mapping[str, Application] = _NO_MOUNTS,
    ) -> None:
        self._access = access
        self._secret, tls = access.secret(), access.tls()
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(location)))
            pages = self._pages(store.optuna, allow_edit=allow_edit)
            if allow_edit:
                pages = guarded_edits(pages, location)
            pages = only_known_routes(with_policy(pages, OPTUNA_POLICY), allow_edit=allow_edit)
            mounts = {"/live": LivePages(store, allow_edit=allow_edit), **mounts}
            everything = with_mounts(pages, mounts, allow_edit=allow_edit)
            if self._secret is not None:
                everything = Login(everything, self._secret)
            if access.root_path:
                everything = below(everything, access.root_path)
            checked = without_body_for_head(with_security_headers(only_from_here(everything, access.names)))
            try:
                server = HttpServer(checked, access.bind, port, tls=tls, scheme=access.scheme)
            except OSError as error:
                raise _not_opened(access.bind, port, error) from None
            self._server = opened.enter_context(server)
            self._opened = opened.pop_all()

    @property
    def address(self) -> str:
        """The URL for a browser, without the token."""
        return f"{self._access.base_url(self._server.port)}/dashboard"

    @property
    def link(self) -> str:
        """The URL that lets its first user in: with the token if there is one. It must not be logged."""
        if self._secret is None or self._secret.token is None:
            return self.address
        return f"{self._access.base_url(self._server.port)}/login?token={self._secret.token}"

    def serve(self) -> None:
        """Answer requests until the process is interrupted, or another thread calls :meth:`stop`."""
        with warnings.catch_warnings():
            # About importances of few trials and experimental functions; the user cannot act on them.
            warnings.filterwarnings("ignore", module="optuna")
            self._server.serve()

    def stop(self) -> None:
        """End :meth:`serve`, which runs in another thread."""
        self._server.stop()

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve in a thread of this process while the block runs."""
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def _pages(self, storage: BaseStorage, *, allow_edit: bool) -> Application:
        """Return Optuna's dashboard with our download and banner."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the dashboard uses deprecated functions
            from optuna_dashboard import wsgi

            dashboard: Any = wsgi(cast("BaseStorage", ThinnedStorage(storage)))
            if hasattr(dashboard, "_inmemory_cache"):  # private: another version may have none, and is slower
                dashboard._inmemory_cache._cached_extra_study_property_cache = QuickProperties()  # noqa: SLF001
            pages: Application = with_safe_csv(dashboard, storage)
        if self._access.root_path:
            pages = with_root_path(pages, self._access.root_path)
        return with_banner(pages, read_only=not allow_edit, logout=self._secret is not None)

    def __enter__(self) -> Self:
        """Return the server; its port is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and the database."""
        self._opened.close()


def _not_opened(host: str, port: int, error: OSError) -> RunError:
    if error.errno == errno.EADDRNOTAVAIL:
        return RunError(f"{host} is no address of this machine", hint="choose one that `ip address` lists, or 0.0.0.0")
    return RunError(
        f"port {port} cannot be opened: {error.strerror}",
        hint=f"choose another port: {command('dashboard', port=0)}",
    )

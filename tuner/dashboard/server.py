"""Serves Optuna's dashboard to this machine only."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from types import MappingProxyType, TracebackType
from typing import Self

from tuner_storage import Location, open_store

from tuner.command_line import command
from tuner.dashboard.banner import with_banner
from tuner.dashboard.csv_download import with_safe_csv
from tuner.dashboard.edits import guarded_edits
from tuner.dashboard.headers import OPTUNA_POLICY, with_policy, with_security_headers
from tuner.dashboard.http_server import HttpServer
from tuner.dashboard.live.app import LivePages
from tuner.dashboard.mounts import with_mounts
from tuner.dashboard.origins import only_from_here
from tuner.dashboard.routes import only_known_routes
from tuner.dashboard.wsgi import Application, without_body_for_head
from tuner.errors import RunError

HOST = "127.0.0.1"  # the dashboard has no login
NAMES = (HOST, "localhost", "[::1]")  # of this machine; a tunnel may use any of them
_NO_MOUNTS: Mapping[str, Application] = MappingProxyType({})


class DashboardServer:
    """A server of the dashboard for one database; a context manager.

    Args:
        location: The database; it must exist.
        port: The port; 0 takes any free one.
        allow_edit: Whether notes and attributes may be written, and studies that no run holds renamed and deleted.
        mounts: Further applications by path, see :func:`tuner.dashboard.mounts.with_mounts`.

    Raises:
        StorageError: If the database does not exist or cannot be used.
        RunError: If the port cannot be opened.
    """

    def __init__(
        self,
        location: Location,
        port: int,
        *,
        allow_edit: bool = False,
        mounts: Mapping[str, Application] = _NO_MOUNTS,
    ) -> None:
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(location)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the dashboard uses deprecated functions
                from optuna_dashboard import wsgi

                pages: Application = with_safe_csv(wsgi(store.optuna))
            pages = guarded_edits(pages, location) if allow_edit else with_banner(pages)
            pages = only_known_routes(with_policy(pages, OPTUNA_POLICY), allow_edit=allow_edit)
            mounts = {"/live": LivePages(store, allow_edit=allow_edit), **mounts}
            checked = only_from_here(with_mounts(pages, mounts, allow_edit=allow_edit), NAMES)
            try:
                server = HttpServer(without_body_for_head(with_security_headers(checked)), HOST, port)
            except OSError as error:
                raise RunError(
                    f"port {port} cannot be opened: {error.strerror}",
                    hint=f"choose another port: {command('dashboard', port=0)}",
                ) from None
            self._server = opened.enter_context(server)
            self._opened = opened.pop_all()

    @property
    def address(self) -> str:
        """The URL for a browser."""
        return f"http://{HOST}:{self._server.port}/dashboard"

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

    def __enter__(self) -> Self:
        """Return the server; its port is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and the database."""
        self._opened.close()

"""The server of the dashboard, with real sockets on 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from tuner_storage import locate

from tests.dashboard.conftest import Finished
from tuner.cli.main import main
from tuner.dashboard.server import DashboardServer
from tuner.errors import RunError, StorageError


def get(address: str, path: str, host: str | None = None) -> tuple[int, bytes]:
    """Return status and body; ``host`` replaces the ``Host`` header."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={} if host is None else {"Host": host})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_lists_the_study(address: str) -> None:
    """The dashboard reads the database of the study."""
    status, body = get(address, "/api/studies")

    assert status == 200
    assert [study["study_name"] for study in json.loads(body)["study_summaries"]] == ["small"]


def test_it_shows_trials_with_their_attributes(address: str, finished: Finished) -> None:
    """Every trial has its value, and the number of parameters, epochs, seconds and the best epoch."""
    _, body = get(address, "/api/studies/1?after=0")
    detail = json.loads(body)
    best = detail["trials"][finished.best.number]

    assert detail["objective_names"] == ["val_accuracy"]
    assert len(detail["trials"]) == 12
    assert best["values"] == [finished.best.value]
    assert {"parameters", "epochs", "seconds", "best_epoch"} <= {attr["key"] for attr in best["user_attrs"]}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "LOCALHOST:80"])
def test_it_answers_to_the_names_of_this_machine(address: str, host: str) -> None:
    """Any port is accepted, because a tunnel may have another one."""
    assert get(address, "/api/meta", host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "x@127.0.0.1", "192.168.0.7", ""]
)
@pytest.mark.parametrize("path", ["/dashboard", "/api/studies"])
def test_it_refuses_foreign_host_names(address: str, host: str, path: str) -> None:
    """A web page with a host name that points to 127.0.0.1 cannot read anything (DNS rebinding)."""
    status, body = get(address, path, host)

    assert status == 403
    assert b"small" not in body


def test_it_listens_on_this_machine_only(finished: Finished) -> None:
    """The address is 127.0.0.1, because the dashboard has no login."""
    with DashboardServer(locate(home=finished.home), port=0) as server:
        assert urlsplit(server.address).hostname == "127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", urlsplit(server.address).port or 0))


def test_a_silent_connection_does_not_delay_the_others(address: str) -> None:
    """Browsers open connections before they use them."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)):
        assert get(address, "/api/meta")[0] == 200


def test_a_closed_connection_prints_nothing(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    """If the browser resets a connection, the terminal shows no traceback."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
        client.sendall(b"GET /api/studies HTTP/1.1\r\nHost: localhost\r\n")
    get(address, "/api/meta")

    assert capfd.readouterr().err == ""


def test_a_port_in_use_is_an_error(finished: Finished) -> None:
    """The exit code is 1, the message names the port, and the hint another one."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(RunError, match=f"port {port} cannot be opened: Address already in use") as raised:
            DashboardServer(locate(home=finished.home), port)
        result = CliRunner().invoke(main, ["dashboard", "--port", str(port), "--home", str(finished.home)])

    hint = "choose another port: tuner dashboard --port 0"
    assert raised.value.hint == hint
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"Error: {raised.value}", f"Hint:  {hint} --home {finished.home}"]


def test_without_a_study_the_hint_names_how_to_start_one(home: Path) -> None:
    """The exit code is 3, and nothing is created."""
    with pytest.raises(StorageError, match="there is no study"):
        DashboardServer(locate(home=home), port=0)
    result = CliRunner().invoke(main, ["dashboard", "--home", str(home)])

    assert result.exit_code == 3
    assert "Hint:  start one: tuner study start digits" in result.stderr
    assert not home.exists()


def test_it_can_be_read_while_a_study_is_written(address: str, finished: Finished) -> None:
    """A run and several readers use the database at once, and no request fails."""
    done = threading.Event()
    answers: list[int] = []

    def read() -> None:
        while not done.is_set():
            answers.append(get(address, "/api/studies/1?after=0")[0])

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        finished.run(20)
    finally:
        done.set()
        for reader in readers:
            reader.join()

    assert len(finished.trials) == 20
    assert len(answers) > 2
    assert set(answers) == {200}


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_command_quietly(finished: Finished, ending: signal.Signals) -> None:
    """Ctrl-C, and `docker stop`, end the dashboard with exit code 0 and without a traceback."""
    command = [sys.executable, "-m", "tuner", "dashboard", "--port", "0", "--home", str(finished.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().removesuffix("/dashboard")
            assert get(address, "/api/meta")[0] == 200
            process.send_signal(ending)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == 0
    assert out == ""
    assert err.splitlines() == [
        "The dashboard is open on this machine only. It is read-only (see --allow-edit). Ctrl-C ends it."
    ]

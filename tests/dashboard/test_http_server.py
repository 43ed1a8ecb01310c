"""No client keeps the others waiting, with and without TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.dashboard.client import connected, exchange, send
from tests.dashboard.conftest import Finished, served
from tests.dashboard.plain import plainly_served
from tuner.dashboard import http_server
from tuner.dashboard.http_server import MAX_BODY, THREADS, HttpServer
from tuner.dashboard.tls import tls_context
from tuner.dashboard.wsgi import Application, Environ, StartResponse, answer
from tuner.errors import UsageError


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    """Once without TLS, once with it."""
    return tls_context(*request.getfixturevalue("certificate")) if request.param == "https" else None


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the body of the request."""
    return answer(start_response, environ["wsgi.input"].read(), "text/plain")


@contextmanager
def running(application: Application, tls: ssl.SSLContext | None) -> Iterator[str]:
    """Serve an application in a thread, and yield its address."""
    with HttpServer(application, "127.0.0.1", 0, tls=tls) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        finally:
            server.stop()
            thread.join()


def test_half_requests_hold_no_thread(tls: ssl.SSLContext | None) -> None:
    """While 60 clients have connected and sent half a request, and 60 nothing at all, the others are answered."""
    with running(echo, tls) as address, ExitStack() as clients:
        send(address, "POST /")  # the threads have started
        before = threading.active_count()
        plain = address.replace("https", "http")
        for _ in range(60):
            clients.enter_context(connected(plain))
        for _ in range(60):
            clients.enter_context(connected(address)).sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")

        assert send(address, "POST /", body="answered").body == b"answered"
        assert threading.active_count() == before


@pytest.mark.slow
def test_half_requests_hold_threads_of_a_plain_server(finished: Finished) -> None:
    """So the test above could fail."""
    with plainly_served(finished) as address, ExitStack() as clients:
        before = threading.active_count()
        for _ in range(60):
            clients.enter_context(connected(address)).sendall(b"GET / HTTP/1.1\r\n")
        send(address, "GET /")

        assert threading.active_count() >= before + 50


def test_the_oldest_unused_connections_make_room(tls: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """More clients than there is room for do not lock the others out."""
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 10)
    with running(echo, tls) as address, ExitStack() as clients:
        held = [clients.enter_context(connected(address.replace("https", "http"))) for _ in range(30)]

        assert send(address, "POST /", body="answered").body == b"answered"
        assert held[0].recv(1) == b""


def test_a_request_that_does_not_end_is_given_up(tls: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if one byte arrives now and then."""
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.0)
    with running(echo, tls) as address, connected(address.replace("https", "http")) as client:
        assert client.recv(1) == b""


def test_a_long_body_is_not_read(tls: ssl.SSLContext | None) -> None:
    """The answer comes after the headers."""
    start = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY + 1}\r\nConnection: close\r\n\r\n"
    with running(echo, tls) as address:
        assert exchange(address, start.encode()).status == 413
        assert send(address, "POST /", body="a" * 200_000).body == b"a" * 200_000


def test_a_long_note_is_read_by_plain_optuna_dashboard_only(finished: Finished) -> None:
    """There, 128 MiB are allowed, and kept in memory."""
    body = '{"version": 2, "body": "' + "a" * (MAX_BODY + 1) + '"}'
    request = "PUT /api/studies/1/note", "Content-Type: application/json"
    with served(finished, allow_edit=True) as ours, plainly_served(finished) as plain:
        head = f"{request[0]} HTTP/1.1\r\nHost: localhost\r\n{request[1]}\r\nContent-Length: {len(body)}\r\n\r\n"
        assert exchange(ours, head.encode()).status == 413
        assert send(plain, *request, body=body).status == 204


def test_more_requests_than_threads_are_answered(tls: ssl.SSLContext | None) -> None:
    """The rest waits for a thread, and no answer is lost or cut."""
    text = "x" * 100_000
    with running(echo, tls) as address:
        answers: list[bytes] = []
        clients = [
            threading.Thread(target=lambda: answers.append(send(address, "POST /", body=text).body))
            for _ in range(THREADS * 3)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    assert answers == [text.encode()] * THREADS * 3


def test_a_connection_serves_several_requests(tls: ssl.SSLContext | None) -> None:
    """As browsers use it."""
    with running(echo, tls) as address, connected(address) as client:
        for text in (b"first", b"second"):
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            received = b""
            while not received.endswith(text):
                received += client.recv(1000)


def test_a_stream_is_sent_as_it_comes_and_ends_with_the_server(tls: ssl.SSLContext | None) -> None:
    """Events reach the browser at once. A stream does not keep the server from stopping."""
    ended = threading.Event()
    proceed = threading.Event()

    def events(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        try:
            yield b"data: first\n\n"
            proceed.wait(20)
            while True:
                yield b"data: more\n\n" * 1000
        finally:
            ended.set()

    with running(events, tls) as address:
        client = connected(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += client.recv(1000)
        proceed.set()
    assert ended.wait(20)
    client.close()


def test_http_on_the_port_of_https_is_cut_off(certificate: tuple[Path, Path]) -> None:
    """And other clients go on."""
    with running(echo, tls_context(*certificate)) as address:
        received: list[bytes] = []
        with connected(address.replace("https", "http")) as client, suppress(ConnectionResetError):
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
            received.extend(iter(lambda: client.recv(1000), b""))
        assert b"HTTP/1.1 200" not in b"".join(received)
        assert send(address, "POST /", body="answered").body == b"answered"


def test_old_versions_of_tls_are_refused(certificate: tuple[Path, Path]) -> None:
    """TLS 1.2 is the oldest."""
    context = tls_context(*certificate)

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_server_that_was_stopped_before_it_serves_returns() -> None:
    """Nobody waits for it."""
    with HttpServer(echo, "127.0.0.1", 0) as server:
        server.stop()
        server.serve()
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_files_that_are_no_certificate_are_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """The message names them, and the hint what they should be."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate", encoding="utf-8")

    with pytest.raises(UsageError, match=f"cannot read {tmp_path}/none: No such file"):
        tls_context(tmp_path / "none", certificate[1])
    for files in ((wrong, certificate[1]), (certificate[0], wrong), (certificate[1], certificate[0])):
        with pytest.raises(UsageError, match="are no certificate with its key"):
            tls_context(*files)

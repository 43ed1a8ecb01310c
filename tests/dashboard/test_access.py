"""Which addresses, names and options open the dashboard, and to whom."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.dashboard.client import send
from tests.dashboard.conftest import Finished, served
from tuner.cli.main import main
from tuner.dashboard.access import Access
from tuner.errors import UsageError

ANYWHERE = "0.0.0.0"  # noqa: S104 - what must not be opened by mistake
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"host": ANYWHERE}, "would cross the network unencrypted", "--tls-cert FILE --tls-key FILE"),
    ({"host": "192.168.0.7", "password_file": Path("x")}, "192.168.0.7", "--behind-proxy"),
    ({"host": "::"}, "unencrypted", "--behind-proxy"),
    ({"host": "example.org"}, "takes an IP address, got 'example.org'", ANYWHERE),
    ({"tls_cert": Path("x")}, "--tls-cert needs --tls-key", "name the files"),
    ({"tls_key": Path("x")}, "--tls-key needs --tls-cert", "name the files"),
    ({"root_path": "/tuner"}, "--root-path needs --behind-proxy", "proxy"),
    ({"root_path": "tuner", "behind_proxy": True}, "got 'tuner'", "/tuner"),
    ({"root_path": "/tuner/", "behind_proxy": True}, "got '/tuner/'", "/tuner"),
    ({"root_path": "/a/../b", "behind_proxy": True}, "got '/a/../b'", "/tuner"),
    ({"root_path": '/"><script>', "behind_proxy": True}, "takes a path", "letters"),
    ({"root_path": "/dashboard", "behind_proxy": True}, "begins as a path of the dashboard", "/tuner"),
    ({"allow_hosts": ("example.org:80",)}, "without a port, got 'example.org:80'", "tuner.example.org"),
    ({"allow_hosts": ("*",)}, "got '\\*'", "tuner.example.org"),
]


@pytest.mark.parametrize(("options", "message", "hint"), REFUSED)
def test_what_would_open_the_dashboard_unprotected_is_refused(options: dict[str, Any], message: str, hint: str) -> None:
    """One line says why, and the hint what to add."""
    with pytest.raises(UsageError, match=message) as raised:
        Access(**options)

    assert hint in (raised.value.hint or "")


OPEN: list[tuple[dict[str, Any], bool, bool, str]] = [
    ({}, False, False, "http://127.0.0.1:80"),
    ({"host": "localhost"}, False, False, "http://127.0.0.1:80"),
    ({"host": "::1"}, False, False, "http://[::1]:80"),
    ({"password_file": Path("x")}, True, False, "http://127.0.0.1:80"),
    ({"allow_hosts": ("a.example",)}, True, True, "http://a.example:80"),
    ({"behind_proxy": True}, True, True, "http://127.0.0.1:80"),
    ({"behind_proxy": True, "allow_hosts": ("a.example",), "root_path": "/x"}, True, True, "https://a.example/x"),
    ({"host": "192.168.0.7", "tls_cert": Path("x"), "tls_key": Path("x")}, True, True, "https://192.168.0.7:80"),
    ({"host": ANYWHERE, "behind_proxy": True}, True, True, f"http://{socket.gethostname()}:80"),
]


@pytest.mark.parametrize(("options", "needs_login", "for_others", "url"), OPEN)
def test_a_login_is_due_as_soon_as_others_can_reach_the_dashboard(
    options: dict[str, Any], needs_login: bool, for_others: bool, url: str
) -> None:
    """The address is one that works in a browser."""
    access = Access(**options)

    assert (access.needs_login, access.for_others, access.base_url(80)) == (needs_login, for_others, url)
    assert "evil.example" not in access.names


def test_only_allowed_names_are_answered(finished: Finished) -> None:
    """They are compared as a whole, and without regard to case. A second one is refused, also if both are allowed."""
    with served(finished, access=Access(allow_hosts=("a.example", "b.example"))) as public:
        address = public.replace("a.example", "127.0.0.1")
        names = ["a.example", "B.EXAMPLE:443", "127.0.0.1"]
        assert {send(address, "GET /login", host=name).status for name in names} == {200}
        for name in (
            "aXexample",
            "x.a.example",
            "a.example.evil",
            "a.example\r\nHost: b.example",
            "a.example, b.example",
        ):
            assert send(address, "GET /login", host=name).status == 403


def test_the_command_refuses_in_one_line(finished: Finished, tmp_path: Path) -> None:
    """The exit code is 2. Nothing was opened."""
    home = ["--home", str(finished.home)]
    secret = tmp_path / "password"
    secret.write_text("right horse battery", encoding="utf-8")
    secret.chmod(0o644)
    results = [
        CliRunner().invoke(main, ["dashboard", *home, *options])
        for options in (["--host", ANYWHERE], ["--password-file", str(secret)], ["--password-file", "none"])
    ]

    assert [result.exit_code for result in results] == [2, 2, 2]
    assert [result.stdout for result in results] == ["", "", ""]
    assert all(len(result.stderr.splitlines()) == 2 for result in results)
    assert "horse" not in results[1].stderr
    assert f"chmod 600 {secret}" in results[1].stderr
    assert "cannot read none: No such file or directory" in results[2].stderr


def test_an_address_of_another_machine_cannot_be_opened(finished: Finished) -> None:
    """The message names it."""
    options = ["dashboard", "--home", str(finished.home), "--host", "192.0.2.1", "--behind-proxy"]
    result = CliRunner().invoke(main, options)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 192.0.2.1 is no address of this machine\n")

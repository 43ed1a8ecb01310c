"""The login of the dashboard, over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from tuner_storage import locate

from tests.dashboard.client import Answer, contents, send
from tests.dashboard.conftest import PASSWORD, Finished, served
from tuner.dashboard.access import Access
from tuner.dashboard.attempts import FREE, LONGEST_WAIT, Attempts
from tuner.dashboard.headers import OWN_POLICY
from tuner.dashboard.secret import Secret
from tuner.dashboard.server import DashboardServer
from tuner.dashboard.sessions import Sessions
from tuner.errors import UsageError

FORM = "Content-Type: application/x-www-form-urlencoded"
PAGE = "Accept: text/html,application/xhtml+xml"


@pytest.fixture
def guarded(finished: Finished, password_file: Path) -> Iterator[str]:
    """The address of a dashboard with edits for those who know the password."""
    with served(finished, allow_edit=True, access=Access(password_file=password_file)) as address:
        yield address


def log_in(address: str, password: str = PASSWORD, **fields: str) -> Answer:
    """Send the form of the login page."""
    return send(address, "POST /login", FORM, body=urlencode({"password": password, **fields}))


def cookie_of(answer: Answer) -> str:
    """Return the header that sends back the cookie of an answer."""
    return f"Cookie: {answer.headers['set-cookie'].partition(';')[0]}"


def test_without_a_session_only_the_login_page_is_answered(guarded: str) -> None:
    """Requests for data get 401, and pages lead to the login, which names no study."""
    for request in ("GET /api/studies", "GET /csv/1", "GET /static/bundle.js", "GET /favicon.ico", "POST /logout"):
        answer = send(guarded, request)
        assert (answer.status, b"small" in answer.body) == (401, False)
    assert send(guarded, "GET /api/studies", PAGE).status == 401
    assert send(guarded, "GET /dashboard/studies/1?x=1", PAGE).headers["location"] == (
        "/login?next=/dashboard/studies/1%3Fx%3D1"
    )
    page = send(guarded, "GET /login?next=/dashboard/studies/1%3Fx%3D1")
    assert page.status == 200
    assert page.headers["content-security-policy"] == OWN_POLICY
    assert b'value="/dashboard/studies/1?x=1"' in page.body
    assert b"<script" not in page.body
    assert send(guarded, "GET /login.css").headers["content-type"].startswith("text/css")


def test_the_password_lets_in_and_the_logout_ends_it_for_every_copy(guarded: str) -> None:
    """A cookie that was copied is of no use after the logout. Nothing of a study stays in the browser's cache."""
    answer = log_in(guarded, next="/dashboard/studies/1")
    cookie = cookie_of(answer)
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=/dashboard/studies/1")
    assert send(guarded, f"GET {answer.headers['location']}", cookie).headers["location"] == "/dashboard/studies/1"
    studies = send(guarded, "GET /api/studies", cookie)
    assert (studies.status, studies.headers["cache-control"]) == (200, "no-store")
    assert b"Log out" in send(guarded, "GET /dashboard", cookie).body

    ended = send(guarded, "POST /logout", cookie)

    assert (ended.status, ended.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert send(guarded, "GET /api/studies", cookie).status == 401


def test_the_cookie_is_for_this_server_only(guarded: str, finished: Finished, password_file: Path) -> None:
    """No script reads it, no other site makes a browser send it, and no other server accepts it."""
    answer = log_in(guarded)
    name, value = re.fullmatch("(.*?)=(.*)", cookie_of(answer).removeprefix("Cookie: ")).groups()  # type: ignore[union-attr]

    assert answer.headers["set-cookie"].split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert name == f"tuner_session_{urlsplit(guarded).port}"
    with served(finished, access=Access(password_file=password_file)) as other:
        assert send(other, "GET /api/studies", f"Cookie: tuner_session_{urlsplit(other).port}={value}").status == 401


@pytest.mark.parametrize(
    "cookie", ["x", "", "IngiMA.x.y", "a" * 4000, 'InNlc3Npb24i.aaaaaa."; tuner_session=x'], ids=len
)
def test_no_cookie_can_be_made_up(guarded: str, cookie: str) -> None:
    """Only signed ones count."""
    name = f"tuner_session_{urlsplit(guarded).port}"
    assert send(guarded, "GET /api/studies", f"Cookie: {name}={cookie}").status == 401


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper(), f"{PASSWORD} ", "\0", "é" * 500])
def test_a_wrong_password_is_refused_and_not_repeated(guarded: str, password: str) -> None:
    """The page says so and sets no cookie."""
    answer = log_in(guarded, password)

    assert answer.status == 403
    assert "set-cookie" not in answer.headers
    assert b"That is not the password." in answer.body
    assert not password.strip("\0 ") or password.encode() not in answer.body


def test_a_form_that_is_too_long_is_refused(guarded: str) -> None:
    """It is not read."""
    assert log_in(guarded, "x" * 9000).status == 413


def test_guessing_becomes_slow(guarded: str) -> None:
    """After a few wrong passwords not even the right one is looked at for a while. Sessions go on."""
    cookie = cookie_of(log_in(guarded))
    answers = [log_in(guarded, f"guess {i}") for i in range(FREE)]

    assert [answer.status for answer in answers] == [403] * (FREE - 1) + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert log_in(guarded).status == 429
    assert send(guarded, "GET /api/studies", cookie).status == 200


def test_the_wait_doubles_up_to_a_minute_and_a_right_attempt_ends_it() -> None:
    """While one waits, nothing counts."""
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(FREE + 8):
        right, wait = attempts.check(lambda: False)
        assert not right
        assert not wait or attempts.check(lambda: True) == (False, wait)
        waits.append(wait)
        now[0] += wait

    assert waits == [0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, *[LONGEST_WAIT] * 3]
    assert attempts.check(lambda: True) == (True, 0)
    assert attempts.check(lambda: False) == (False, 0)


@pytest.mark.parametrize(
    "goal",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/login?token=x", '/"><b>'],
)
def test_a_login_leads_to_pages_of_ours_only(guarded: str, goal: str) -> None:
    """Whatever the link says."""
    assert log_in(guarded, next=goal).headers["location"] == "/login?next=/dashboard"
    assert goal.encode() not in send(guarded, f"GET /login?{urlencode({'next': goal})}").body


def test_the_link_with_the_token_does_not_stay_in_the_address_bar(finished: Finished) -> None:
    """It sets the cookie and leads on. A wrong token gets nothing."""
    access = Access(allow_hosts=("tuner.example.org",))
    with DashboardServer(locate(home=finished.home), 0, access=access) as server, server.serving():
        address = server.address.removesuffix("/dashboard").replace("tuner.example.org", "127.0.0.1")
        link = urlsplit(server.link)
        answer = send(address, f"GET {link.path}?{link.query}")
        wrong = send(address, "GET /login?token=wrong")

        assert (answer.status, answer.headers["location"]) == (303, "/login?next=/dashboard")
        assert send(address, "GET /api/studies", cookie_of(answer)).status == 200
        assert send(address, "GET /api/studies", cookie_of(answer), host="tuner.example.org").status == 200
        assert "token" not in server.address
        assert (wrong.status, "set-cookie" in wrong.headers) == (403, False)
        assert b"That is not the token." in wrong.body


def test_a_link_from_another_site_finds_the_session(guarded: str) -> None:
    """The browser sends no cookie with it. The answer leads to the same page from our own site, with the cookie."""
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", PAGE)
    first = send(guarded, "GET /dashboard/studies/1", *link)
    second = send(guarded, f"GET {first.headers['location']}", *link)

    assert first.headers["location"] == "/login?next=/dashboard/studies/1"
    assert b'content="0; url=/login?next=/dashboard/studies/1"' in second.body


def test_a_form_of_another_site_does_not_log_in(guarded: str) -> None:
    """Nor does it log out."""
    foreign = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    body = urlencode({"password": PASSWORD})
    cookie = cookie_of(log_in(guarded))

    assert send(guarded, "POST /login", FORM, *foreign, body=body).status == 403
    assert send(guarded, "POST /login", FORM, "Origin: https://evil.example", body=body).status == 403
    assert send(guarded, "POST /logout", cookie, *foreign).status == 403
    assert send(guarded, "GET /api/studies", cookie).status == 200


def test_with_a_session_edits_are_those_of_allow_edit(guarded: str, finished: Finished) -> None:
    """A login adds no routes."""
    cookie, before = cookie_of(log_in(guarded)), contents(finished)
    json = "Content-Type: application/json"
    assert send(guarded, "POST /api/trials/1/tell", cookie, json, body='{"state": "fail"}').status == 403
    assert contents(finished) == before
    assert send(guarded, "DELETE /api/studies/1", cookie, json, body="{}").status == 204


def test_a_session_ends_after_a_while() -> None:
    """Its age is signed with it."""
    old, current = Sessions(seconds=-1), Sessions()

    assert not old.is_valid(old.new())
    assert current.is_valid(current.new())
    assert not Sessions().is_valid(current.new())


FAULTS = [
    ("", 0o600, "holds no password"),
    (" \n", 0o600, "holds no password"),
    ("tiny\n", 0o600, "is too short"),
    ("two lines\nof text\n", 0o600, "more than one line"),
    ("x" * 2000, 0o600, "more than one line of up to 1024 characters"),
    ("right horse battery", 0o644, "its permissions are 0644"),
    ("right horse battery", 0o620, "its permissions are 0620"),
]


@pytest.mark.parametrize(("text", "mode", "message"), FAULTS)
def test_a_password_file_that_protects_nothing_is_refused(tmp_path: Path, text: str, mode: int, message: str) -> None:
    """As ssh does with keys. No message repeats the password."""
    path = tmp_path / "pass word"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    with pytest.raises(UsageError, match=message) as raised:
        Secret.from_file(path)

    assert not text.strip() or text.strip() not in f"{raised.value} {raised.value.hint}"
    if mode != 0o600:
        assert raised.value.hint == f"chmod 600 '{path}'"


def test_a_secret_is_not_shown() -> None:
    """Neither in an error nor in a log."""
    secret = Secret("right horse battery")

    assert "horse" not in f"{secret!r} {vars(secret)}"
    assert secret.matches("right horse battery")
    assert not secret.matches("right horse batterx")

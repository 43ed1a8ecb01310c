"""Which requests the dashboard answers, and what it tells a browser, over real sockets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.dashboard.client import contents, exchange, send
from tests.dashboard.conftest import Finished, served
from tuner.dashboard.headers import OPTUNA_POLICY, OWN_POLICY, SECURITY
from tuner.dashboard.http_server import MAX_HEADERS

JSON = "Content-Type: application/json"
DELETE = "DELETE /api/studies/1"
NOTE = "PUT /api/studies/1/note"
NEW_NOTE = json.dumps({"version": 2, "body": "mine"})  # the version after that of the study's own note


def test_headers_that_are_too_long_are_refused(reader: str) -> None:
    """They are refused before they end, and this answer protects its reader too."""
    start = b"GET / HTTP/1.1\r\nX-Filler: "
    answer = exchange(reader, start + b"a" * (MAX_HEADERS - len(start)))

    assert answer.status == 431
    assert {name: answer.headers.get(name.lower()) for name in SECURITY} == SECURITY


@pytest.fixture(scope="module")
def shared(original: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A copy of ``original`` that no test may change."""
    home = tmp_path_factory.mktemp("requests") / ".tuner"
    shutil.copytree(original.home, home)
    return replace(original, home=home)


@pytest.fixture(scope="module")
def reader(shared: Finished) -> Iterator[str]:
    """The address of the dashboard of ``shared``, without the path."""
    with served(shared) as address:
        yield address


@pytest.fixture(scope="module")
def editor(shared: Finished) -> Iterator[str]:
    """The same for a dashboard that may edit."""
    with served(shared, allow_edit=True) as address:
        yield address


READ = [
    "GET /",
    "GET /dashboard",
    "GET /dashboard/studies/1/trialTable",
    "HEAD /dashboard",
    "GET /favicon.ico",
    "GET /static/bundle.js",
    "GET /static/missing.js",
    "GET /api/meta",
    "GET /api/studies",
    "GET /api/studies/1?after=0",
    "GET /api/studies/99",
    "GET /api/studies/1/param_importances",
    "GET /api/studies/1/plot/contour",
    "GET /api/studies/1/plot/other",
    "GET /csv/1",
    "GET /csv/99",
]
REFUSED = [
    "post /api/studies",
    "POST /api/studies",
    "POST /api/stu%ffdies",
    "POST //api/studies",
    "DELETE /api/studies/1",
    "delete /api/studies/1",
    "DELETE /api/studies/%EF%BC%91",
    "GET /api/studies/%EF%BC%91",
    "GET /api/stu%ffdies",
    "GET /api/studies/",
    "GET /api/studies/1%0a",
    "get /api/studies",
    "PATCH /dashboard",
    "OPTIONS /api/studies",
    "GET /incompatible-rdb-schema",
    "POST /incompatible-rdb-schema",
    "GET /sql-profiler",
    "GET /artifacts/1/0",
    "GET /artifacts/1/1/0",
    "POST /api/artifacts/1",
    "DELETE /api/artifacts/1/0",
    "POST /api/llm/trial_filter_query",
    "GET /static/../index.html",
    "GET /static/%2e%2e/index.html",
    "GET /static/..%2findex.html",
    "GET /static//etc/passwd",
    "GET http://127.0.0.1/api/studies",
    "POST /api/trials/1/tell",
    "POST /api/trials/1/user-attrs",
    "POST /api/studies/1/1/skip",
    "POST /api/studies/1/preference",
    "PUT /api/studies/1/note",
    "PUT /api/studies/1/1/note",
    "POST /api/studies/1/rename",
]
EDITS = {DELETE, "POST /api/trials/1/user-attrs", "POST /api/studies/1/rename", NOTE, "PUT /api/studies/1/1/note"}


@pytest.mark.parametrize("request_line", READ)
def test_reading_changes_no_row(reader: str, shared: Finished, request_line: str) -> None:
    """Every route of the page answers, also without Accept-Encoding, and the database stays as it is."""
    before = contents(shared)
    status = send(reader, request_line).status

    assert status in {200, 303, 404}
    assert contents(shared) == before


@pytest.mark.parametrize("request_line", REFUSED)
def test_every_other_request_is_refused(reader: str, shared: Finished, request_line: str) -> None:
    """Methods and paths are compared exactly. The answer is JSON with a reason, and no row is changed."""
    before = contents(shared)
    answer = send(reader, request_line, JSON, body='{"study_name": "new", "directions": ["minimize"]}')

    assert answer.status in {403, 405} or request_line.split(maxsplit=1)[0].islower()
    assert answer.status == 400 or json.loads(answer.body)["reason"]
    assert contents(shared) == before


@pytest.mark.parametrize("request_line", [line for line in REFUSED if line not in EDITS])
def test_with_allow_edit_only_edits_are_added(editor: str, shared: Finished, request_line: str) -> None:
    """Nobody ends a trial, or makes a trial or a study."""
    before = contents(shared)
    body = {"study_name": "new", "directions": ["minimize"], "state": "complete", "values": [0.9999]}

    assert send(editor, request_line, JSON, body=json.dumps(body)).status in {400, 403}
    assert contents(shared) == before


@pytest.mark.parametrize(
    "request_line",
    [*READ, *REFUSED, "GET / / /", "GET /\x00", "GET /dashboard/\xe9"],
)
def test_every_answer_protects_its_reader(reader: str, request_line: str) -> None:
    """No page may frame it, guess its type, learn its address or embed it; errors and downloads included."""
    headers = send(reader, request_line).headers

    policy = headers["content-security-policy"]
    expected = SECURITY | {"Content-Security-Policy": policy}

    assert {name: headers.get(name.lower()) for name in SECURITY} == expected
    assert policy in {OWN_POLICY, OPTUNA_POLICY}
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "host",
    [
        "localhost:80@evil.example",
        "localhost.",
        "localhost:",
        "localhost,evil.example",
        "localhost:80\r\nHost: evil.example",
        "127.0.0.1:80:90",
        "[::1]evil.example",
        "127.0.0.2",
        "0",
        "",
    ],
)
def test_a_host_name_is_compared_as_a_whole(reader: str, host: str) -> None:
    """What only begins with a name of this machine is refused, and so is a second name."""
    answer = send(reader, "GET /api/studies", host=host)

    assert answer.status == 403
    assert b"small" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8080", "LOCALHOST"])
def test_names_of_this_machine_are_answered(reader: str, host: str) -> None:
    """With any port, because a tunnel may have another one. A header of a proxy does not decide where `/` leads."""
    answer = send(reader, "GET /", "X-Forwarded-Host: evil.example", host=host)

    assert answer.status == 303
    assert "evil" not in answer.headers["location"]


FOREIGN = [
    ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
    ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"),  # another port
    ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"),
    ("Sec-Fetch-Site: cross-site,same-origin",),
    ("Origin: https://evil.example",),
    ("Origin: null",),
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("request_line", ["GET /api/studies", "GET /csv/1", "GET /dashboard", NOTE, DELETE])
def test_pages_of_other_sites_reach_nothing(
    editor: str, shared: Finished, request_line: str, headers: tuple[str, ...]
) -> None:
    """They can neither read nor write, even if the dashboard may edit."""
    before = contents(shared)
    answer = send(editor, request_line, *headers, JSON, body=NEW_NOTE)

    assert answer.status == 403
    assert b"small" not in answer.body
    assert contents(shared) == before


def test_a_link_of_another_site_may_be_followed(editor: str, shared: Finished) -> None:
    """It replaces the foreign page. A form that is sent is refused."""
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")

    assert send(editor, "GET /dashboard", *link).status == 200
    assert send(editor, "POST /api/studies/1/rename", *link, JSON, body='{"study_name": "x"}').status == 403
    assert shared.trials


@pytest.mark.parametrize("own", ["Sec-Fetch-Site: same-origin", "Origin: ADDRESS"])
def test_our_own_page_may_write_a_note(finished: Finished, own: str) -> None:
    """If the dashboard may edit. A body that is not JSON is refused: a form could send it."""
    with served(finished, allow_edit=True) as editable:
        own = own.replace("ADDRESS", editable)

        assert send(editable, NOTE, own, "Content-Type: text/plain", body=NEW_NOTE).status == 415
        assert send(editable, NOTE, own, JSON, body=NEW_NOTE).status == 204
    assert finished.note() == "mine"

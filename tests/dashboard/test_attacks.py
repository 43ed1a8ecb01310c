"""What changes plain optuna-dashboard changes nothing through ours. Each attack is first shown to work there."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pytest

from tests.dashboard.client import contents, send
from tests.dashboard.conftest import Finished, served
from tests.dashboard.plain import plainly_served, url_of
from tuner.dashboard.access import Access

JSON = "Content-Type: application/json"
FOREIGN_FORM = ("Content-Type: text/plain", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
HTML = "data:text/html;base64," + base64.b64encode(b"<script>alert(1)</script>").decode()
# Study 1 is ours. Study 2 has the running trial 13, and study 3 is preferential, with the trials 14 to 16.
OPEN, RUNNING, PREFERENTIAL = 2, 13, 3


@dataclass(frozen=True)
class Attack:
    """A request that changes something in plain optuna-dashboard, and what must be sent before it."""

    name: str
    request: str
    body: object = None
    headers: tuple[str, ...] = (JSON,)
    before: tuple[tuple[str, object], ...] = ()

    @property
    def text(self) -> str:
        return "" if self.body is None else json.dumps(self.body)


VOTE = {"mode": "ChooseWorst", "candidates": [0, 1], "clicked": 1}
ATTACKS = [
    Attack("deletion", "DELETE /api/studies/1", {}),
    Attack("deletion-without-body", "DELETE /api/studies/1", headers=()),
    Attack("deletion-from-foreign-page", "DELETE /api/studies/1", headers=("Origin: https://evil.example",)),
    Attack("deletion-at-foreign-name", "DELETE /api/studies/1", headers=("Host: evil.example",)),
    Attack("rename", "POST /api/studies/1/rename", {"study_name": "theirs"}),
    Attack("new-study", "POST /api/studies", {"study_name": "theirs", "directions": ["minimize"]}),
    Attack("result", f"POST /api/trials/{RUNNING}/tell", {"state": "complete", "values": [99.0]}),
    Attack("failure", f"POST /api/trials/{RUNNING}/tell", {"state": "fail"}),
    Attack("attributes", f"POST /api/trials/{RUNNING}/user-attrs", {"user_attrs": {"note": "theirs"}}),
    Attack("note", "PUT /api/studies/1/note", {"version": 2, "body": "theirs"}),
    Attack("note-of-a-trial", "PUT /api/studies/1/1/note", {"version": 1, "body": "theirs"}),
    Attack("artifact-of-a-trial", f"POST /api/artifacts/{OPEN}/{RUNNING}", {"file": HTML, "filename": "x.html"}),
    Attack("artifact-of-a-study", "POST /api/artifacts/1", {"file": HTML, "filename": "x.html"}),
    Attack("skip", f"POST /api/studies/{PREFERENTIAL}/14/skip", {}),
    Attack("skip-by-foreign-form", f"POST /api/studies/{PREFERENTIAL}/14/skip", headers=FOREIGN_FORM),
    Attack("preference", f"POST /api/studies/{PREFERENTIAL}/preference", VOTE),
    Attack("preference-with-error", "POST /api/studies/1/preference", VOTE),
    Attack("feedback", f"PUT /api/studies/{PREFERENTIAL}/preference_feedback_component", {"output_type": "note"}),
]


@pytest.fixture(scope="module")
def opened(original: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The study of ours, with one of Optuna that has a running trial, and one that asks for preferences."""
    home = tmp_path_factory.mktemp("attacks") / ".tuner"
    shutil.copytree(original.home, home)
    study = replace(original, home=home)
    storage = optuna.storages.get_storage(url_of(study))
    running = optuna.create_study(storage=storage, study_name="open").ask()
    asked = optuna.create_study(storage=storage, study_name="preferential")
    storage.set_study_system_attr(asked._study_id, "preference:is_preferential", True)  # noqa: FBT003
    assert [running._trial_id, *(asked.ask()._trial_id for _ in range(3))] == [RUNNING, 14, 15, 16]
    return study


@pytest.fixture(scope="module")
def unknown_password(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a password that no attacker knows."""
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text("correct horse battery\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module", params=["read-only", "without-login"])
def door(request: pytest.FixtureRequest, opened: Finished, unknown_password: Path) -> Iterator[str]:
    """Our dashboard of the same studies: once read-only, and once with edits for those who have logged in."""
    access = Access(password_file=unknown_password) if request.param == "without-login" else Access()
    with served(opened, allow_edit=request.param == "without-login", access=access) as address:
        yield address


def copied(study: Finished, folder: Path) -> Finished:
    """Return a copy of a study for an attack that works."""
    shutil.copytree(study.home, folder / ".tuner")
    return replace(study, home=folder / ".tuner")


def attempt(address: str, attack: Attack) -> int:
    """Send an attack, and return the status of the answer."""
    hosts = [header.partition(": ")[2] for header in attack.headers if header.startswith("Host: ")]
    headers = [header for header in attack.headers if not header.startswith("Host: ")]
    return send(address, attack.request, *headers, body=attack.text, host=hosts[0] if hosts else None).status


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_changes_plain_optuna_dashboard_changes_nothing_here(
    door: str, opened: Finished, attack: Attack, tmp_path: Path
) -> None:
    """Not a row of the database, neither read-only nor without a login that is due."""
    victim = copied(opened, tmp_path)
    untouched = contents(victim)
    with plainly_served(victim) as plain:
        attempt(plain, attack)
    assert contents(victim) != untouched, "the attack does not work"

    before = contents(opened)
    status = attempt(door, attack)

    assert status in {401, 403, 405}
    assert contents(opened) == before


def test_a_preference_is_neither_removed_nor_restored(door: str, opened: Finished, tmp_path: Path) -> None:
    """Restoring reads no body, so a form of another site could send it."""
    victim = copied(opened, tmp_path)
    with plainly_served(victim) as plain:
        send(plain, f"POST /api/studies/{PREFERENTIAL}/preference", JSON, body=json.dumps(VOTE))
        detail = json.loads(send(plain, f"GET /api/studies/{PREFERENTIAL}").body)
        path = f"/api/studies/{PREFERENTIAL}/preference/{detail['preference_history'][0]['history']['id']}"
        voted = contents(victim)
        assert send(plain, f"DELETE {path}").status == 204
        assert contents(victim) != voted
        assert send(plain, f"POST {path}", *FOREIGN_FORM).status == 204
        assert contents(victim) == voted

    before = contents(opened)
    assert {send(door, f"DELETE {path}").status, send(door, f"POST {path}", *FOREIGN_FORM).status} <= {401, 403, 405}
    assert contents(opened) == before


def test_the_schema_is_not_upgraded(door: str, opened: Finished, tmp_path: Path) -> None:
    """A form of another site is enough for plain optuna-dashboard."""
    older = "UPDATE alembic_version SET version_num = 'v3.0.0.d'"
    newest = "UPDATE alembic_version SET version_num = 'v3.2.0.a'"
    victim = copied(opened, tmp_path)
    with plainly_served(victim) as plain:
        change(victim, older)
        outdated = contents(victim)
        send(plain, "POST /incompatible-rdb-schema", *FOREIGN_FORM)
        assert contents(victim) != outdated

    change(opened, older)
    try:
        before = contents(opened)
        assert send(door, "POST /incompatible-rdb-schema", *FOREIGN_FORM).status in {401, 403, 405}
        assert contents(opened) == before
    finally:
        change(opened, newest)


def test_an_artifact_is_not_shown_as_a_page(door: str, opened: Finished, tmp_path: Path) -> None:
    """Plain optuna-dashboard runs its script for whoever opens it."""
    victim = copied(opened, tmp_path)
    with plainly_served(victim) as plain:
        body = json.dumps({"file": HTML, "filename": "x.html"})
        uploaded = json.loads(send(plain, "POST /api/artifacts/1", JSON, body=body).body)
        path = f"/artifacts/1/{uploaded['artifacts'][0]['artifact_id']}"
        page = send(plain, f"GET {path}")
        assert (page.status, page.headers["content-type"]) == (200, "text/html")
        assert b"<script>" in page.body

    assert send(door, f"GET {path}").status in {401, 403}


def test_foreign_host_names_read_nothing(door: str, opened: Finished) -> None:
    """A page can let its name point to this machine (DNS rebinding), or name another one in front of ours."""
    for host in ("evil.example", "localhost:80@evil.example", "localhost\r\nHost: evil.example"):
        with plainly_served(opened) as plain:
            assert b"small" in send(plain, "GET /api/studies", host=host).body
        assert send(door, "GET /api/studies", host=host).status == 403


def test_a_header_does_not_decide_where_the_first_page_leads(door: str, opened: Finished) -> None:
    """It always leads to a path of ours."""
    forwarded = "X-Forwarded-Host: evil.example"
    with plainly_served(opened) as plain:
        assert "evil.example" in send(plain, "GET /", forwarded).headers["location"]

    answer = send(door, "GET /", forwarded, "Accept: text/html")
    assert answer.headers["location"] in {"/dashboard", "/login?next=/dashboard"}


def test_a_name_with_a_line_break_can_be_downloaded(opened: Finished, tmp_path: Path) -> None:
    """The name of a study is in no header."""
    victim = copied(opened, tmp_path)
    change(victim, "UPDATE studies SET study_name = 'a\nb' WHERE study_id = 2")
    with plainly_served(victim) as plain, served(victim) as ours:
        assert send(plain, "GET /csv/2").status == 500
        answer = send(ours, "GET /csv/2")

    assert answer.status == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="study-2.csv"'


def test_files_are_sent_without_the_header_of_browsers(opened: Finished) -> None:
    """A program need not say which encodings it reads."""
    with plainly_served(opened) as plain, served(opened) as ours:
        assert send(plain, "GET /static/bundle.js").status == 500
        assert send(ours, "GET /static/bundle.js").status == 200


def change(study: Finished, statement: str) -> None:
    """Change the database of a study."""
    with closing(sqlite3.connect(study.home / "studies.db")) as database, database:
        database.execute(statement)

"""The live page over HTTP: what it shows, what it refuses, and what it costs."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import event
from tuner_storage import Location, locate, open_store

from tests.dashboard.client import Answer, contents, send
from tests.dashboard.conftest import SPACE, Finished, served
from tests.recipes import small_recipe
from tests.runs import rows, run_scripted
from tests.s3_server import S3Server
from tuner.cli.main import main
from tuner.dashboard.live.app import LivePages
from tuner.dashboard.live.pages import curve
from tuner.results.live import LiveReader
from tuner.study import load_study

FORM = "Content-Type: application/x-www-form-urlencoded"
HOSTILE = "<script>alert(1)</script>'\"&\u202e{{ 7*7 }}"


def text_of(answer: Answer) -> str:
    assert answer.status == 200
    return answer.body.decode()


def token_of(page: str) -> str:
    return str(re.findall('name="token" value="([^"]+)"', page)[0])


@pytest.fixture
def running(finished: Finished) -> Iterator[int]:
    """Holds the lease of the study, as a run does; yields our id of the study."""
    store = open_store(locate(home=finished.home))
    try:
        record = store.find_study(1)
        assert record is not None
        with store.lease(record.id, finished.name):
            yield record.id
    finally:
        store.close()


def test_the_list_and_the_page_of_a_study_show_how_far_it_is(address: str, finished: Finished) -> None:
    """Counts, the best trial, the reasons of failures and the trials that ended last are those of the study."""
    best, overview = finished.best, text_of(send(address, "GET /live"))
    page = text_of(send(address, "GET /live/1"))

    assert '<a href="/live/1">small</a>' in overview
    for text in (overview, page):
        assert "12 of 12 trials" in text
        assert f"{best.value:.4f}" in text
    assert f"(trial {best.number})" in page
    assert "loss was nan in epoch 1: trial" in page
    assert "Not running: all trials are done." in page
    assert "Stop this run" not in page


def test_a_run_is_shown_with_its_process(address: str, running: int) -> None:
    """A study whose lease is held is running; without --allow-edit there is no button."""
    assert "running" in text_of(send(address, "GET /live"))
    page = text_of(send(address, "GET /live/1"))

    assert "Running: process " in page
    assert "<form" not in page


def test_the_button_stops_a_run(finished: Finished, running: int) -> None:
    """The form of the page requests the stop, and then the page says so. It writes nothing else."""
    with served(finished, allow_edit=True) as address:
        before = contents(finished)
        token = token_of(text_of(send(address, "GET /live/1")))
        answer = send(address, "POST /live/1/stop", FORM, body=f"token={token}")
        page = text_of(send(address, "GET /live/1"))

    assert (answer.status, answer.headers["location"]) == (303, "/live/1")
    assert "Stopping: the running epochs finish" in page
    after = contents(finished)
    assert rows(finished.home, "SELECT stop_requested FROM tuner_lease") == [(1,)]
    assert {table for table in after if after[table] != before[table]} == {"tuner_lease"}


@pytest.mark.parametrize(
    ("request_line", "headers", "body"),
    [
        ("POST /live/1/stop", (FORM,), "token=wrong"),
        ("POST /live/1/stop", (FORM,), ""),
        ("POST /live/1/stop", (FORM,), "token=" + "x" * 5000),
        ("POST /live/1/stop", (FORM, "Origin: https://evil.example"), "TOKEN"),
        ("POST /live/1/stop", (FORM, "Sec-Fetch-Site: cross-site"), "TOKEN"),
        ("POST /live/1", (FORM,), "TOKEN"),
        ("POST /live/1/stop/", (FORM,), "TOKEN"),
        ("DELETE /live/1", (FORM,), "TOKEN"),
    ],
)
def test_no_other_request_stops_a_run(
    finished: Finished, running: int, request_line: str, headers: tuple[str, ...], body: str
) -> None:
    """Neither a page of another site nor a form without the token of this server."""
    with served(finished, allow_edit=True) as address:
        token = token_of(text_of(send(address, "GET /live/1")))
        assert send(address, request_line, *headers, body=body.replace("TOKEN", f"token={token}")).status in {403, 405}
    assert rows(finished.home, "SELECT stop_requested FROM tuner_lease") == [(0,)]


def test_a_dashboard_that_reads_stops_nothing(address: str, finished: Finished, running: int) -> None:
    """Without --allow-edit every POST is refused."""
    assert send(address, "POST /live/1/stop", FORM, body="token=x").status == 405
    assert rows(finished.home, "SELECT stop_requested FROM tuner_lease") == [(0,)]


def test_looking_writes_nothing(address: str, finished: Finished) -> None:
    """Not one row differs after all pages were shown."""
    before = contents(finished)
    for path in ("/live", "/live/1", f"/live/1/models/{finished.best.number}", "/live/9", "/live/static/live.js"):
        send(address, f"GET {path}")

    assert contents(finished) == before


@pytest.mark.parametrize(
    "path", ["/live/", "/live/x", "/live/2", "/live/1/", "/live/1/models/999", "/live/static/app.py", "/live/static/..",
             "/live/static/../app.py", "/live/%2e%2e/1", "/livex", "/live/1/stop", "/live/%EF%BC%91"]
)  # fmt: skip
def test_other_paths_are_refused(address: str, path: str) -> None:
    """Only the page itself, studies, kept models and two files have an address."""
    expected = {200} if path == "/live/" else {403, 404}

    assert send(address, f"GET {path}").status in expected


def test_a_model_is_a_download_that_no_browser_runs(address: str, finished: Finished) -> None:
    """The file comes whole, as an attachment in a sandbox."""
    number = finished.best.number
    assert f'href="/live/1/models/{number}" download' in text_of(send(address, "GET /live/1"))
    answer = send(address, f"GET /live/1/models/{number}")
    ((sha256, size),) = rows(finished.home, f"SELECT sha256, size FROM tuner_model WHERE trial_number = {number}")

    assert hashlib.sha256(answer.body).hexdigest() == sha256
    assert answer.headers["content-length"] == str(size)
    assert answer.headers["content-disposition"] == f'attachment; filename="study-1-trial-{number}.keras"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_model_in_s3_is_downloaded_from_another_machine(s3_location: Location, home: Path, s3: S3Server) -> None:
    """The folder of the run is not needed. If the store is away, the answer says so, and the page stays."""
    recipe = small_recipe(budget={"trials": 1, "epochs": 1})
    run_scripted(home, recipe, location=s3_location)
    shutil.rmtree(home / "artifacts")
    ((sha256,),) = rows(home, "SELECT sha256 FROM tuner_model")
    with served(Finished(home, recipe, "small")) as address:
        assert hashlib.sha256(send(address, "GET /live/1/models/0").body).hexdigest() == sha256
        shutil.rmtree(home / "artifacts")
        s3.stop()
        away = send(address, "GET /live/1/models/0")
        page = send(address, "GET /live/1")
        s3.start()

    assert (away.status, page.status) == (503, 200)
    assert b"cannot be reached" in away.body


@pytest.mark.parametrize("path", ["/etc/passwd", "../studies.db", "study-00001/../../studies.db"])
def test_a_row_that_names_another_file_is_not_sent(finished: Finished, path: str) -> None:
    """Whoever can write the database cannot make the dashboard send a file of this machine."""
    with sqlite3.connect(finished.home / "studies.db") as connection:
        connection.execute("UPDATE tuner_model SET path = ?", (path,))
    with served(finished) as address:
        assert send(address, f"GET /live/1/models/{finished.best.number}").status == 404


def test_foreign_text_is_no_markup(home: Path) -> None:
    """Names and reasons are shown as they are, and text that runs backwards as an escape."""
    run_scripted(home, small_recipe(space=SPACE), name=HOSTILE)
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("UPDATE tuner_attempt SET reason = ? WHERE outcome = 'failed'", (HOSTILE,))
    with served(Finished(home, small_recipe(), HOSTILE)) as address:
        pages = [text_of(send(address, f"GET {path}")) for path in ("/live", "/live/1")]

    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "\u202e" not in page
        assert "{{ 7*7 }}" in page


def test_the_best_is_the_same_everywhere(home: Path) -> None:
    """Live page, note, `study best` and report name one winner, also if trials are refused and confirmed."""
    recipe = small_recipe(
        space={"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "layers": 1,
               "units": {"type": "choice", "choices": [8, 4096]}},
        budget={"trials": 8, "epochs": 4, "max_parameters": 100_000},
        winner={"confirm": 3, "seeds": 2},
    )  # fmt: skip
    study = Finished(home, recipe)
    study.run(8, weights=lambda hyperparameters: 125 * sum(hyperparameters.hidden))
    trials = study.trials
    best = load_study("small", home=home).best()
    store = open_store(locate(home=home))
    try:
        live = LiveReader(store).study(1)
    finally:
        store.close()
    report = CliRunner().invoke(main, ["report", "small", "--home", str(home)]).stdout

    assert {trial.confirms for trial in trials if trial.confirms is not None}
    assert {trial.state for trial in trials} >= {"refused", "complete"}
    assert live is not None
    assert live.line.best == (best.number, best.value)
    assert f"## Best: trial {best.number}, " in study.note()
    assert f"trial {best.number}" in report.lower()
    assert (live.line.counts.complete, live.line.counts.refused) == tuple(
        sum(trial.state == state for trial in trials) for state in ("complete", "refused")
    )


def test_open_tabs_share_one_look_at_the_database(finished: Finished) -> None:
    """Requests within a second cost no query, and a look at a study costs few, however many epochs are stored."""
    store = open_store(locate(home=finished.home))
    statements: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    try:
        pages = LivePages(store, allow_edit=False)

        def load() -> int:
            before = len(statements)
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/1", "SCRIPT_NAME": "/live"}
            assert b"12 of 12 trials" in b"".join(pages(environ, lambda *_: None))
            return len(statements) - before

        first = load()
        again = [load() for _ in range(5)]
        pages._kept.clear()
        warm = load()
    finally:
        store.close()

    assert again == [0] * 5
    assert warm <= first <= 20
    assert warm <= 12
    assert not [statement for statement in statements if "tuner_epoch" in statement]


def test_a_run_and_open_tabs_do_not_lock_each_other_out(finished: Finished) -> None:
    """While five tabs read without a pause, a run ends all its trials, and every page is answered."""
    done = threading.Event()
    answers: list[int] = []

    with served(finished) as address:

        def read() -> None:
            while not done.is_set():
                answers.append(send(address, "GET /live/1").status)

        tabs = [threading.Thread(target=read) for _ in range(5)]
        for tab in tabs:
            tab.start()
        try:
            finished.run(24)
        finally:
            done.set()
            for tab in tabs:
                tab.join()

    assert len(finished.trials) == 24
    assert len(answers) > 5
    assert set(answers) == {200}


def test_a_curve_begins_and_ends_with_its_values() -> None:
    """The lowest value is at the bottom; a long curve has a hundred points, the last value among them."""
    assert curve([]) == ""
    assert curve([1.0]) == "0.0,12.0"
    assert curve([0.0, 1.0]) == "0.0,22.0 100.0,2.0"
    points = curve([0.0] * 1000 + [5.0]).split()
    assert len(points) <= 101
    assert points[-1] == "100.0,2.0"

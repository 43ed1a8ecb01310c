"""The dashboard changes no study unless it is asked to; what it changes then is recognised by the other commands."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tuner_storage import locate

from tests.dashboard.conftest import Finished, served
from tests.runs import rows, run_scripted, trials_of
from tuner import studies
from tuner.errors import UsageError
from tuner.results.overview import list_studies


def ask(address: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Send a request with a JSON body, and return status and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


CHANGES = [
    ("DELETE", "/api/studies/1", {}),
    ("POST", "/api/studies/1/rename", {"study_name": "other"}),
    ("PUT", "/api/studies/1/note", {"version": 99, "body": "mine"}),
    ("POST", "/api/studies", {"study_name": "new", "directions": ["minimize"]}),
    ("POST", "/api/trials/1/user-attrs", {"user_attrs": {"a": 1}}),
    ("OPTIONS", "/dashboard", None),
    ("FOO", "/dashboard", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_it_is_read_only(address: str, finished: Finished, method: str, path: str, body: object) -> None:
    """Every method but GET and HEAD is refused. The answer names the option."""
    before = (finished.home / "studies.db").read_bytes()
    status, answer = ask(address, method, path, body)

    assert status == 405
    assert "--allow-edit" in json.loads(answer)["reason"]
    assert (finished.home / "studies.db").read_bytes() == before


def test_a_read_only_page_says_so(address: str, finished: Finished) -> None:
    """The page has a banner. An answer to HEAD has no body. A dashboard that may edit has no banner."""
    status, page = ask(address, "GET", "/dashboard/studies/1")
    assert (status, page.count(b">read-only<")) == (200, 1)
    assert page.rstrip().endswith(b"</html>")
    assert ask(address, "HEAD", "/dashboard") == (200, b"")
    with served(finished, allow_edit=True) as editable:
        assert b">read-only<" not in ask(editable, "GET", "/dashboard")[1]


def test_a_study_that_was_renamed_in_the_dashboard_is_continued(finished: Finished) -> None:
    """It keeps its trials, curves and models, and has a note of its own."""
    models = sorted(finished.home.rglob("*.keras"))
    before = finished.trials
    with served(finished, allow_edit=True) as address:
        assert ask(address, "POST", "/api/studies/1/rename", {"study_name": "better"})[0] == 201

    assert [summary.name for summary in list_studies(locate(home=finished.home))] == ["better"]
    assert trials_of(finished.home, finished.recipe, "better") == before
    with pytest.raises(UsageError, match="there is no study 'small'") as caught:
        _ = finished.trials
    assert caught.value.hint == "choose one of: better"
    run_scripted(finished.home, finished.recipe.changed(budget={"trials": 14}), name="better")
    assert len(trials_of(finished.home, finished.recipe, "better")) == 14
    assert {path for path in models if path.exists()} <= set(finished.home.rglob("*.keras"))


@pytest.mark.parametrize("starts", [1, 2])
def test_after_a_deletion_in_the_dashboard_a_study_of_the_same_name_is_new(finished: Finished, starts: int) -> None:
    """Each start begins with trial 0 and none of the deleted rows; the files of the deleted study are removed."""
    recipe = finished.recipe.changed(budget={"trials": 2})
    for _ in range(starts):
        with served(finished, allow_edit=True) as address:
            assert ask(address, "DELETE", "/api/studies/1", {})[0] == 204
        run_scripted(finished.home, recipe)

    assert len(finished.trials) == 2
    assert rows(finished.home, "SELECT DISTINCT trial_number FROM tuner_attempt ORDER BY 1") == [(0,), (1,)]
    assert rows(finished.home, "SELECT count(*) FROM tuner_study") == [(1,)]
    with studies.existing(locate(home=finished.home), "small") as stored:
        kept = stored.store.models(stored.record.id)
        assert {Path(model.path).name for model in kept.values()} == {
            path.name for path in finished.home.rglob("*.keras")
        }

"""The dashboard changes no study unless it is asked to; what it changes then is recognised by the other commands."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import optuna
import pytest
from tuner_storage import locate

from tests.dashboard.conftest import Finished, served
from tests.dashboard.plain import plainly_served, url_of
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


def test_results_cannot_be_forged_through_attributes(finished: Finished) -> None:
    """On plain optuna-dashboard, a trial gets another training time. Ours refuses each attribute that a run writes."""
    trial_id, names = asked(finished), attributes_of(finished)
    path, before = f"/api/trials/{trial_id}/user-attrs", finished.trials
    assert {"seconds", "best_epoch", "val_accuracy", "reason"} <= names
    with served(finished, allow_edit=True) as address:
        for name in names:
            status, answer = ask(address, "POST", path, {"user_attrs": {"mine": 1, name: 0.5}})
            assert (name, status) == (name, 403)
            assert name in json.loads(answer)["reason"]
        wrongs: list[object] = [[], {}, {"user_attrs": ["seconds"]}, {"user_attrs": None}]
        for wrong in wrongs:
            assert ask(address, "POST", path, wrong)[0] == 400
    assert (finished.trials, attributes_of(finished)) == (before, names)

    with plainly_served(finished) as plain:
        assert ask(plain, "POST", path, {"user_attrs": {"seconds": 0.5}})[0] == 204
    assert finished.trials[-1].seconds == 0.5 != before[-1].seconds


def test_attributes_of_the_users_own_can_be_written(finished: Finished) -> None:
    """They change no result. Notes can be written too. A trial that has ended keeps its attributes."""
    trial_id, before = asked(finished), finished.trials
    with served(finished, allow_edit=True) as address:
        body = {"user_attrs": {"checked by": "Łucja", "Seconds": [1, None]}}
        assert ask(address, "POST", f"/api/trials/{trial_id}/user-attrs", body)[0] == 204
        assert ask(address, "POST", "/api/trials/1/user-attrs", body)[0] == 409
        assert ask(address, "PUT", "/api/studies/1/note", {"version": 2, "body": "mine"})[0] == 204
        assert ask(address, "PUT", f"/api/studies/1/{trial_id}/note", {"version": 1, "body": "mine too"})[0] == 204
        trial = json.loads(ask(address, "GET", "/api/studies/1")[1])["trials"][-1]

    assert {"key": "checked by", "value": "Łucja"} in trial["user_attrs"]
    assert {"key": "Seconds", "value": "[1, null]"} in trial["user_attrs"]
    assert finished.trials == before


def asked(study: Finished) -> int:
    """Begin a trial that no run holds, as a run that was killed leaves one, and return its id. It has attributes."""
    trial = optuna.load_study(study_name=study.name, storage=url_of(study)).ask()
    trial.set_user_attr("seconds", 99.0)
    return trial._trial_id


def attributes_of(study: Finished) -> set[str]:
    """Return the names of the attributes of all trials."""
    return {name for (name,) in rows(study.home, "SELECT DISTINCT key FROM trial_user_attributes")}

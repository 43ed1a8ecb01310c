"""Whoever reaches a dashboard that may edit cannot disturb a run."""

from __future__ import annotations

import json
from pathlib import Path

from tuner_storage import locate

from tests.dashboard.conftest import Finished, served
from tests.dashboard.test_editing import ask
from tests.recipes import always, small_recipe
from tests.run.test_changed_by_others import once_running
from tests.runs import rows, run_scripted, trials_of
from tuner.results.overview import list_studies
from tuner.run.progress import RunView

RECIPE = small_recipe(space=always(3), budget={"trials": 3, "epochs": 3})
FORGED = 0.9999


def test_a_run_ends_as_if_nobody_had_edited(home: Path) -> None:
    """To end, add, rename or delete is refused while it runs; the answer says who runs it. A note may be written."""
    study = Finished(home, RECIPE)
    answers: dict[str, tuple[int, bytes]] = {}

    def attack(_: RunView) -> None:
        (trial_id,) = rows(home, "SELECT trial_id FROM trials WHERE state = 'RUNNING'")[0]
        with served(study, allow_edit=True) as address:
            told = {"state": "Complete", "values": [FORGED]}
            answers["tell"] = ask(address, "POST", f"/api/trials/{trial_id}/tell", told)
            attributes = {"user_attrs": {"val_accuracy": FORGED}}
            answers["attributes"] = ask(address, "POST", f"/api/trials/{trial_id}/user-attrs", attributes)
            answers["rename"] = ask(address, "POST", "/api/studies/1/rename", {"study_name": "theirs"})
            answers["delete"] = ask(address, "DELETE", "/api/studies/1", {})
            answers["note"] = ask(address, "PUT", "/api/studies/1/note", {"version": 1, "body": "mine"})

    run_scripted(home, RECIPE, recorder=once_running(attack))
    trials = trials_of(home, RECIPE)

    assert {name: status for name, (status, _) in answers.items()} == {
        "tell": 403,
        "attributes": 409,
        "rename": 409,
        "delete": 409,
        "note": 204,
    }
    assert "study 'small' is being run by" in json.loads(answers["delete"][1])["reason"]
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert max(trial.value or 0.0 for trial in trials) < FORGED


def test_a_deletion_removes_rows_and_files_at_once(finished: Finished) -> None:
    """As `tuner study delete` does. A study that is not there is not found."""
    assert list(finished.home.rglob("*.keras"))
    with served(finished, allow_edit=True) as address:
        assert ask(address, "DELETE", "/api/studies/1", {})[0] == 204
        assert ask(address, "DELETE", "/api/studies/1", {})[0] == 404

    assert list_studies(locate(home=finished.home)) == []
    assert list(finished.home.rglob("*.keras")) == []
    assert rows(finished.home, "SELECT * FROM tuner_attempt") == []


def test_attributes_can_be_written_if_no_run_holds_the_study(finished: Finished) -> None:
    """Trials that have ended keep theirs, and the lease is given back."""
    with served(finished, allow_edit=True) as address:
        assert ask(address, "POST", "/api/trials/1/user-attrs", {"user_attrs": {"a": 1}})[0] == 409
        assert ask(address, "POST", "/api/trials/999/user-attrs", {"user_attrs": {"a": 1}})[0] == 500

    assert rows(finished.home, "SELECT * FROM tuner_lease") == []

"""Guards studies against the edits of a dashboard.

There are none during a run. A deletion removes the files too. What a run wrote about a trial stays as it is.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from contextlib import ExitStack
from http import HTTPStatus

from tuner_storage import Location, Store
from tuner_storage.optuna_rows import study_of_trial
from tuner_storage.trial_attributes import OWN

from tuner import studies
from tuner.dashboard.wsgi import Application, Environ, StartResponse, refuse
from tuner.errors import RunError
from tuner.results.trials import REPORTED

_STUDY = re.compile("/api/studies/([0-9]+)(/rename)?")  # to delete or rename; a note may be written at any time
_TRIAL = re.compile("/api/trials/([0-9]+)/user-attrs")


def guarded_edits(application: Application, location: Location) -> Application:
    """Return ``application``, but no study is deleted or renamed and no trial is changed while a run holds the study.

    Our own studies are deleted with their files. Of their trials, only attributes of the user's own can be written.

    Args:
        application: What carries out the other requests. It has routes as in :mod:`tuner.dashboard.routes`.
        location: The database.
    """

    def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        study, trial = _STUDY.fullmatch(environ["PATH_INFO"]), _TRIAL.fullmatch(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} or not (study or trial):
            return application(environ, start_response)
        with ExitStack() as held:
            store = held.enter_context(studies.opened(location))
            study_id = study_of_trial(store.database, int(trial[1])) if trial else int(study[1]) if study else None
            stored = _find(store, study_id)
            if stored is None:  # the dashboard answers that there is none, or changes a study of Optuna alone
                return application(environ, start_response)
            try:
                if environ["REQUEST_METHOD"] == "DELETE":
                    studies.delete(stored)
                    start_response("204 No Content", [])
                    return []
                held.enter_context(store.lease(stored.record.id, stored.study.study_name, to_delete=True))
            except RunError as error:
                return refuse(start_response, f"{error}; {error.hint}", HTTPStatus.CONFLICT)
            if trial and (refusal := _refusal(store, int(trial[1]), environ)):
                return refuse(start_response, *refusal)
            return application(environ, start_response)

    return guarded


def _refusal(store: Store, trial_id: int, environ: Environ) -> tuple[str, HTTPStatus] | None:
    """Return why a request must not write attributes of a trial, or ``None``; then it gets what was read here."""
    try:
        attributes = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))["user_attrs"]
        ours = sorted({*OWN, *REPORTED}.intersection(attributes.keys()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return 'send the attributes as {"user_attrs": {"name": "value"}}', HTTPStatus.BAD_REQUEST
    if ours:
        return f"only a run writes {', '.join(ours)}: give your attribute another name", HTTPStatus.FORBIDDEN
    if store.optuna.get_trial(trial_id).state.is_finished():  # Optuna would fail
        return "the trial has ended: its attributes stay as they are", HTTPStatus.CONFLICT
    body = json.dumps({"user_attrs": attributes}).encode()
    environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    return None


def _find(store: Store, study_id: int | None) -> studies.StoredStudy | None:
    """Return our study of this id in Optuna's tables, or ``None``."""
    if study_id is None:
        return None
    try:
        name = store.optuna.get_study_name_from_id(study_id)
    except KeyError:
        return None
    return studies.find(store, name)

"""The CSV download of the dashboard, safe for spreadsheets and for every name of a study."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from tuner.dashboard.wsgi import Application, Environ, StartResponse, answer, refuse
from tuner.spreadsheet import safe_cell

_DOWNLOAD = re.compile("/csv/([0-9]{1,9})")
_NUMBERS = re.compile("[0-9]{1,9}(?:,[0-9]{1,9})*")


def with_safe_csv(application: Application, storage: BaseStorage) -> Application:
    """Return ``application`` with a CSV download of its own, which has the columns of Optuna's.

    Labels, reasons and attributes of a study may come from other people, so no cell may be a formula. Optuna's own
    download also puts the study's name into a header, and fails if the name has a line break.
    """

    def download(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        match = _DOWNLOAD.fullmatch(environ["PATH_INFO"])
        if match is None:
            return application(environ, start_response)
        chosen = parse_qs(environ["QUERY_STRING"]).get("trial_ids", [""])[0]
        if chosen and not _NUMBERS.fullmatch(chosen):
            return refuse(start_response, "trial_ids takes numbers with commas between them", HTTPStatus.BAD_REQUEST)
        study_id = int(match[1])
        try:
            study = optuna.load_study(study_name=storage.get_study_name_from_id(study_id), storage=storage)
        except KeyError:
            return refuse(start_response, f"there is no study {study_id}", HTTPStatus.NOT_FOUND)
        trials, objectives = study.get_trials(deepcopy=False), len(study.directions)
        if chosen:
            numbers = {int(number) for number in chosen.split(",")}
            trials = [trial for trial in trials if trial.number in numbers]
        values = study.metric_names or (["Value"] if objectives == 1 else [f"Objective {i}" for i in range(objectives)])
        file_name = ("Content-Disposition", f'attachment; filename="study-{study_id}.csv"')
        return answer(start_response, _table(trials, values), "text/csv; charset=utf-8", file_name)

    return download


def _table(trials: Sequence[FrozenTrial], values: Sequence[str]) -> bytes:
    params = sorted({name for trial in trials for name in trial.params})
    attributes = sorted({name for trial in trials for name in trial.user_attrs})
    head = ["Number", "State", *values]
    head += [*(f"Param {name}" for name in params), *(f"UserAttribute {name}" for name in attributes)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(_cell, head))
    for trial in trials:
        row = [trial.number, trial.state.name, *(trial.values or [None] * len(values))]
        row += [trial.params.get(name) for name in params]
        row += [trial.user_attrs.get(name) for name in attributes]
        writer.writerow(map(_cell, row))
    return text.getvalue().encode(errors="backslashreplace")


def _cell(value: object) -> str:
    return "" if value is None else str(safe_cell(str(value)))

"""The CSV download of the dashboard is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing

from tests.dashboard.conftest import Finished, served
from tests.dashboard.test_server import get


def test_a_downloaded_cell_is_never_a_formula(finished: Finished) -> None:
    """Attributes may come from other people. Numbers stay numbers, and line breaks and quotes stay in their cell."""
    attributes = {"label": '=HYPERLINK("x")', "reason": 'first\n"second", 3', "@name": -0.5}
    with closing(sqlite3.connect(finished.home / "studies.db")) as database, database:
        database.execute("DELETE FROM trial_user_attributes WHERE trial_id = 1 AND key IN ('label', 'reason')")
        for key, value in attributes.items():
            row = (1, key, json.dumps(value))
            database.execute("INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)", row)
    with served(finished) as address:
        status, body = get(address, "/csv/1")
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    first = dict(zip(header, rows[0], strict=True))

    assert (status, len(rows)) == (200, 12)
    assert first["UserAttribute label"] == '\'=HYPERLINK("x")'
    assert first["UserAttribute reason"] == 'first\n"second", 3'
    assert first["UserAttribute @name"] == "-0.5"
    assert float(first["Param learning_rate"]) == finished.trials[0].params["learning_rate"]


def test_a_download_of_a_study_that_is_not_there_is_an_error(finished: Finished) -> None:
    """Other responses pass unchanged."""
    with served(finished) as address:
        assert get(address, "/csv/99")[0] == 404

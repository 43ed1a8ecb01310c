"""What the HTML report of a study says, for each task and without results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.report.html.conftest import SPACE, invoke, page_of
from tests.runs import run_in_vain, run_scripted
from tuner import open_study, studies
from tuner.data.lookup import load_dataset
from tuner.data.schema import schema_of
from tuner.data.settle import SettledData

LIMIT = 3_000_000  # bytes


def test_the_first_page_says_what_won_by_how_much_and_how_to_get_it(finished: Path) -> None:
    """It holds the search, the winner, its lead and whether it is real, the test result, and the command."""
    page = page_of(finished)
    best = json.loads(invoke(finished, "study", "best", "small", "--json").stdout)
    summary = page.text[page.text.index("Summary A neural") : page.text.index("Best configurations The best config")]

    assert "for the data 'digits'" in summary
    assert "the highest val_accuracy" in summary
    assert f"Winner trial {best['trial']} " in summary
    assert f"Result {best['confirmed'][0]['mean']:.4f}" in summary
    assert "On unseen rows 0.9000" in summary
    assert "Is the lead real?" in summary
    assert (
        f"Lead {best['lead']['difference']:.4f} in val_accuracy over trial {best['confirmed'][1]['trial']}" in summary
    )
    assert ("Yes. Trial" in summary) == (not best["lead"]["within_noise"])
    assert "tuner export small -o model/" in summary
    assert json.loads(invoke(finished, "report", "small", "--json").stdout)["reading"].split("`")[0] in summary


def test_the_details_hold_every_part(finished: Path) -> None:
    """Trials, parameters, failures with their reasons, time, data, versions and the recipe are there."""
    page = page_of(finished)

    for title in ("The best 10 trials", "trained again with further seeds", "What matters", "Where the best",
                  "Trials that failed or were refused", "loss was nan in epoch 1", "Runs", "fingerprint (SHA-256)",
                  "0" * 64, "Versions and machine", "tuner study reproduce small --trial", "The recipe",
                  "The model that is exported, on 60 test rows", "Learns by a formula."):  # fmt: skip
        assert title in page.text, title


def test_the_figures_hold_every_trial_and_the_best_so_far(finished: Path) -> None:
    """There are figures of history, time, importance, slices, parallel coordinates and learning curves."""
    figures = page_of(finished).figures
    complete = next(line for line in figures["history"]["data"] if line["name"] == "complete")
    trials = json.loads(invoke(finished, "study", "trials", "small", "--json").stdout)

    assert set(figures) >= {"history", "time", "importance", "parallel", "curves", "confusion", "slice-0", "slice-1"}
    assert complete["x"] == [trial["number"] for trial in trials if trial["state"] == "complete"]
    assert figures["history"]["data"][-1]["y"][-1] == pytest.approx(
        max(trial["value"] for trial in trials if trial["state"] == "complete"), abs=1e-5
    )


def test_the_page_is_small_and_requests_nothing(finished: Path) -> None:
    """No element has an address, and the policy of the page forbids all but its two scripts."""
    page = page_of(finished)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    addresses = [attrs[name] for _, attrs in page.tags for name in ("src", "href", "action") if name in attrs]

    assert len(page.source.encode()) < LIMIT
    assert all(address and address.startswith("#") for address in addresses)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_the_same_study_gives_the_same_figures(finished: Path) -> None:
    """Two reports differ at most in the time at which they were written."""
    assert page_of(finished).figures == page_of(finished).figures


def test_commands_hold_no_place_of_this_machine(finished: Path) -> None:
    """The page may be sent to somebody else: it names neither the home folder nor the database."""
    assert str(finished) not in page_of(finished).source


def test_an_empty_study_has_a_page(home: Path) -> None:
    """It says that there is nothing yet, and what to type."""
    with studies.opened(locate(home=home), create=True) as store:
        studies.create_or_resume(store, "small", small_recipe(), "0" * 64)
    page = page_of(home)

    assert "There is no trial yet." in page.text
    assert "tuner study start small" in page.text
    assert "tuner export" not in page.text.split("Best configurations")[1].split("Progress")[0]
    assert page.figures == {}


def test_a_study_of_failures_has_a_page_with_the_reasons(home: Path) -> None:
    """Nothing is called the best, and the reason of the failures is shown."""
    run_in_vain(home, small_recipe(space={**SPACE, "batch_size": 1}, budget={"trials": 3, "epochs": 2}), "3 failed")
    page = page_of(home)

    assert "All 3 trials failed (loss was nan in epoch 1)." in page.text
    assert "3 failed loss was nan in epoch 1 0, 1, 2" in page.text
    assert "Winner trial" not in page.text
    assert "history" not in page.figures


def test_a_lead_that_was_not_confirmed_is_not_called_real(home: Path) -> None:
    """The page says that it was not checked, and which command checks it."""
    run_scripted(home, small_recipe(space=SPACE | {"batch_size": 16}))
    page = page_of(home)

    assert "Not checked. Each configuration was trained once" in page.text
    assert "tuner study start small --confirm 3 --seeds 3" in page.text


def test_several_objectives_have_a_front(home: Path) -> None:
    """The Pareto front is a table and a figure."""
    recipe = small_recipe(
        space=SPACE | {"batch_size": 16}, objective={"metric": "val_accuracy", "also": ["parameters"]},
        budget={"trials": 12, "epochs": 2},
    )  # fmt: skip
    run_scripted(home, recipe)
    page = page_of(home)

    assert "The Pareto front" in page.text
    assert [line["name"] for line in page.figures["front"]["data"]] == ["complete", "on the Pareto front"]


def table_study(folder: Path, target: str) -> Path:
    """Return a home with a study of a small table, trained in this process."""
    random = np.random.default_rng(0)
    x = random.normal(size=160)
    frame = pl.DataFrame({"<b>size</b>": x, "colour": ["red", "blue"] * 80, "price": 3 * x + 1, "sold": x > 0})
    others = {"price": "sold", "sold": "price"}
    study = open_study(frame.drop(others[target]), name="rows", target=target, home=folder)
    study.run(trials=2, epochs=2, executor="inline", device="cpu", ensemble=1)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "predicted", "metric"),
    [("price", "the number 'price'", "rmse"), ("sold", "'sold', one of 2 classes", "auc")],
)
def test_a_table_is_compared_with_simple_models(home: Path, target: str, predicted: str, metric: str) -> None:
    """The winner stands beside gradient boosting, a linear model and a constant, and the columns are listed."""
    page = page_of(table_study(home, target), "rows")

    assert f"which predicts {predicted}. The search" in page.text
    assert "Is a neural network worth it?" in page.text
    for model in ("gradient boosting", "a linear model", "always the same answer"):
        assert model in page.text
    assert f"model {metric}" in page.text
    assert "The 2 columns that the models read" in page.text
    assert "<b>size</b> number" in page.text
    assert "tuner predict model/ new.csv" in page.text


def test_the_terminal_report_names_the_page(finished: Path) -> None:
    """Below the tables, the next commands have one that writes it."""
    result = invoke(finished, "report", "small")

    assert "tuner report small --html report.html" in result.stderr


def test_the_page_is_a_file_that_is_not_replaced_by_accident(finished: Path, tmp_path: Path) -> None:
    """An earlier report is replaced, another file only with --force, and nothing is left of a refused one."""
    page, other = tmp_path / "report.html", tmp_path / "other.html"
    other.write_text("mine")

    assert invoke(finished, "report", "small", "--html", str(page)).exit_code == 0
    assert invoke(finished, "report", "small", "--html", str(page)).exit_code == 0
    refused = invoke(finished, "report", "small", "--html", str(other))
    assert (refused.exit_code, other.read_text()) == (2, "mine")
    assert "other.html exists" in refused.stderr
    assert invoke(finished, "report", "small", "--html", str(other), "--force").exit_code == 0
    printed: dict[str, Any] = json.loads(invoke(finished, "report", "small", "--html", str(page), "--json").stdout)
    assert printed == {"html": str(page)}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other.html", "report.html"]


def test_without_a_browser_pdf_is_refused_before_the_work(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what is missing, and another what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    result = invoke(finished, "report", "small", "--pdf", str(tmp_path / "report.pdf"))

    assert result.exit_code == 2
    assert "--pdf needs Chromium or Chrome, and none is on the PATH" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shift", [0, 1])
def test_the_augmentation_of_the_winner_is_shown_on_images(home: Path, shift: int) -> None:
    """The picture is part of the page; without augmentation, there is none."""
    recipe, rows = small_recipe(space={**small_recipe().space, "shift": shift}), load_dataset("digits")
    settled = SettledData(schema_of(rows, None), rows.x_train[:8])
    with studies.opened(locate(home=home), create=True) as store:
        studies.create_or_resume(store, "small", recipe, "0" * 64, settled)
    run_scripted(home, recipe)
    page = invoke(home, "report", "small", "--html", "-").stdout

    assert ('src="data:image/png;base64,' in page) == bool(shift)

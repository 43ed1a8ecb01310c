"""The evaluation of the model that is exported: of the refit, of the ensemble, or of the winner."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tuner_storage import locate

from tests.assessments import assessment_of
from tests.evaluations import evaluation_of_task
from tests.recipes import small_recipe
from tests.report.html.conftest import invoke, page_of
from tests.runs import run_scripted
from tuner import studies
from tuner.dashboard.decorate import decorate
from tuner.evaluation.evaluation import Evaluation
from tuner.results.reader import StudyReader
from tuner.results.study_trials import StudyTrials
from tuner.study import load_study

OF_WINNER, OF_REFIT, OF_ENSEMBLE = (evaluation_of_task("multiclass", rows) for rows in (60, 70, 80))


@pytest.fixture
def study(home: Path) -> StudyReader:
    """A finished study whose winner was tested."""
    run_scripted(home, small_recipe())
    return load_study("small", home=home)


def change(home: Path, statement: str, *values: object) -> None:
    """Change the database as another program would."""
    with sqlite3.connect(home / "studies.db") as connection:
        assert connection.execute(statement, values).rowcount


def test_it_is_that_of_the_winner(study: StudyReader) -> None:
    """As its trainer computed it."""
    assert study.evaluation() == OF_WINNER


def test_it_is_that_of_an_ensemble_with_the_same_winner(study: StudyReader) -> None:
    """The JSON of the study does not hold hundreds of numbers for figures."""
    best = study.best().number
    others = [number for number in range(6) if number != best]
    for first, expected in ((best, OF_ENSEMBLE), (others[0], OF_WINNER)):
        assessment = assessment_of(first, others[1])
        assert assessment.ensemble is not None
        ensemble = assessment.ensemble.model_copy(update={"evaluation": OF_ENSEMBLE})
        with studies.existing(study.location, "small") as (store, _, record):
            facts = assessment.model_copy(update={"ensemble": ensemble}).model_dump(mode="json")
            store.set_assessment(record.id, facts)

        assert study.evaluation() == expected
        assert "evaluation" not in study.as_json()["assessment"]["ensemble"]


def test_it_is_that_of_the_refit(home: Path) -> None:
    """Of the winner, which is the model that is exported; until the refit is tested, there is none."""
    run_scripted(home, small_recipe(winner={"refit": True}))
    study = load_study("small", home=home)

    assert study.evaluation() == OF_WINNER  # what the scripted trainer says of every model
    with studies.existing(locate(home=home), "small") as (store, _, record):
        store.set_refit_test(record.id, {"accuracy": 0.5}, OF_REFIT.model_dump(mode="json"))
    assert study.evaluation() == OF_REFIT
    change(home, "UPDATE tuner_refit SET evaluation = NULL")
    assert study.evaluation() is None


def test_a_study_of_an_older_version_has_none(study: StudyReader, home: Path) -> None:
    """Its report says how to get one, and the others do not."""
    assert "tuner evaluate model/" not in page_of(home).text
    change(home, "UPDATE tuner_model SET evaluation = NULL")
    page = page_of(home)

    assert study.evaluation() is None
    assert "tuner evaluate model/ digits --plots plots/" in page.text
    assert "confusion" not in page.figures


def test_a_study_without_a_complete_trial_has_none(home: Path) -> None:
    """There is no model."""
    with studies.opened(locate(home=home), create=True) as store:
        studies.create_or_resume(store, "small", small_recipe(), "0" * 64)

    assert load_study("small", home=home).evaluation() is None


def test_one_that_no_tuner_wrote_ends_in_one_line(study: StudyReader, home: Path) -> None:
    """The trial is named."""
    change(home, "UPDATE tuner_model SET evaluation = ?", '{"rows": "many"}')
    result = invoke(home, "report", "small", "--html", "-")

    assert result.exit_code == 1
    assert f"Error: the stored evaluation of trial {study.best().number} is damaged" in result.stderr
    assert "Traceback" not in result.stderr


def figure_of(home: Path) -> str | None:
    """Decorate a study, and return the figure of its evaluation as the dashboard reads it."""
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    with studies.existing(locate(home=home), "small") as stored:
        decorate(stored, StudyTrials(stored).all())
        attributes = stored.study._storage.get_study_system_attrs(stored.study._study_id)
    figures: dict[str, str] = get_plotly_graph_objects(attributes)
    return figures.get("evaluation")


def test_the_dashboard_has_a_figure_of_it(study: StudyReader, home: Path) -> None:
    """If the winner is another one, which was not tested yet, the old figure goes."""
    drawn = figure_of(home)
    change(home, "UPDATE tuner_model SET evaluation = NULL")
    gone = figure_of(home)

    assert drawn is not None
    assert "heatmap" in drawn
    assert gone is not None
    assert "is tested at the end of a run" in gone
    assert '"data":[]' in gone


def test_the_dashboard_has_no_figure_before_the_first(study: StudyReader, home: Path) -> None:
    """An empty one would only take space."""
    change(home, "UPDATE tuner_model SET evaluation = NULL")

    assert figure_of(home) is None


def test_an_evaluation_is_what_the_store_returns(study: StudyReader) -> None:
    """Every kept model may have one; those that were not tested have none."""
    best = study.best().number
    with studies.existing(study.location, "small") as (store, _, record):
        found = {number: store.evaluation(record.id, number) for number in store.models(record.id)}

    assert Evaluation.model_validate(found.pop(best)) == OF_WINNER
    assert set(found.values()) <= {None}

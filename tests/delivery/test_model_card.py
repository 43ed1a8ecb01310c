"""The model card: what it says, and that names from the data are shown as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.delivery import tables
from tuner.delivery.manifest import DataSource, FormatEntry, InputSpec, Manifest, ObjectiveValue, Refit, Versions
from tuner.delivery.model_card import as_text, model_card
from tuner.printable import escaped

HOSTILE = "<script>alert(1)</script> | **b** [x](http://a.b) `c` ![i](j) \u202e\n# www.a.b @me"


def manifest(**changes: Any) -> Manifest:
    """Return the manifest of a model for a table."""
    schema = tables.schema(regression=True)
    settings: dict[str, Any] = {
        "task": schema.task.name,
        "input": InputSpec(shape=schema.shape, dtype="float32", scale=1.0),
        "class_names": (),
        "table": schema,
        "study": "houses",
        "trial": 7,
        "objective": ObjectiveValue(name="val_rmse", direction="minimize", value=1.5),
        "params": {"layers": 2, "learning_rate": 0.001},
        "metrics": {"val_rmse": 1.5},
        "test": {"rmse": 1.625},
        "best_epoch": 3,
        "parameters": 1234,
        "data": DataSource(name="houses.csv", fingerprint="0" * 64),
        "versions": Versions(tuner="1.2.3", keras="3", tensorflow="2", numpy="2", python="3"),
        "created": datetime(2030, 1, 2, tzinfo=UTC),
        "formats": {
            "keras": FormatEntry(path="model.keras", encoded="core.keras", max_difference=0.0),
            "onnx": FormatEntry(path="model.onnx", encoded="core.onnx", max_difference=0.0),
            "saved-model": FormatEntry(path="saved_model", encoded="saved_model", max_difference=0.0),
            "litert": FormatEntry(path="model.tflite", encoded="model.tflite", max_difference=0.0),
        },
        "files": {},
        **changes,
    }
    return Manifest(**settings)


def test_a_card_of_a_table() -> None:
    """It has data, columns, target, splits, metrics, hyperparameters, limits, and how to load each format."""
    card = model_card(manifest(refit=Refit(epochs=5, rows=900)), ["validation: 20% of the training rows"])

    for line in (
        "# houses: trial 7",
        "- fingerprint (SHA-256): " + "0" * 64,
        "- validation\\: 20% of the training rows",
        "| Net Price | Net\\_Price | number | scaled and squashed; missing: 2 |",
        "| size | size | number | scaled and squashed; missing: 1 and a flag |",
        "| day/hour | day\\_hour | date | its parts: days, year, month, day, weekday, hour, minute |",
        r"| Size | Size\_2 | category: 1, 2, 30 | a feature for each |",
        "A number of price, in its units. In the training rows: mean 10, deviation 2, from 0 to 20.",
        "| val\\_rmse | 1.5 |",
        "| test\\_rmse | 1.625 |",
        "| learning\\_rate | 0.001 |",
        "- A missing number is replaced by the median of the training rows.",
        'session = onnxruntime.InferenceSession("model.onnx")',
        'print(model.signatures["serving_default"](**columns))',
    ):
        assert line in card.split("\n"), line
    assert "It was trained again on all 900 rows." in card


def test_a_card_shows_the_intervals_of_the_test_metrics() -> None:
    """Or says what computes them."""
    card = model_card(manifest(test={"rmse": 1.625, "mae": 1.0}, intervals={"rmse": (1.25, 2.0)}), [])

    for line in ("| val\\_rmse | 1.5 | |", "| test\\_rmse | 1.625 | 1.25 to 2 |", "| test\\_mae | 1 |  |"):
        assert line in card.split("\n"), line
    assert "`tuner evaluate` computes 95 % intervals." not in card
    assert "`tuner evaluate` computes 95 % intervals." in model_card(manifest(), [])


def test_a_card_of_arrays() -> None:
    """It has the shape of the rows and the classes."""
    formats = {"keras": FormatEntry(path="model.keras", max_difference=0.0)}
    spec = InputSpec(shape=(8, 8), dtype="uint8", scale=1 / 16)
    card = model_card(
        manifest(task="multiclass", input=spec, class_names=("a", "b", "c"), table=None, test=None, formats=formats), []
    )

    assert "Rows of shape (8, 8), uint8: raw values. The preprocessing is part of the model." in card
    assert "The probability of each class, in this order: a, b, c" in card
    assert "The model was not measured on test rows." in card
    assert 'model = keras.saving.load_model("model.keras")' in card


@given(st.one_of(st.just(HOSTILE), st.text(min_size=1), st.text("<>[]()!*_`|#\\&;\n@:.w~$^-+1 \"'")))
def test_names_are_shown_as_they_are(name: str) -> None:
    """In a cell of a table and in a list, Markdown shows the name itself: no link, no code, no HTML."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    wanted = escaped(name).strip()

    cell = f"| a | b |\n|---|---|\n| {as_text(name)} | c |"
    for page, place, tokens in ((cell, 2, 4), (f"- name: {as_text(name)}", 0, 1)):
        inline = [token for token in parser.parse(page) if token.type == "inline"]
        assert len(inline) == tokens
        children = inline[place].children or []
        assert "".join(child.content for child in children).removeprefix("name:").strip() == wanted
        assert {child.type for child in children} <= {"text", "text_special"}


@pytest.mark.parametrize("place", ["study", "data", "classes"])
def test_a_hostile_name_changes_nothing_of_the_card(place: str) -> None:
    """The card has as many lines, headings and cells as with a plain name."""

    def card(name: str) -> str:
        source = DataSource(name=name if place == "data" else "d", fingerprint="0" * 64)
        changes: dict[str, Any] = {"data": source, "study": name if place == "study" else "s"}
        if place == "classes":
            schema = tables.schema(classes=("a", name))
            changes |= {"table": schema, "class_names": schema.classes, "task": "binary"}
        return model_card(manifest(**changes), [])

    plain, hostile = card("plain"), card(HOSTILE)

    assert len(plain.splitlines()) == len(hostile.splitlines())
    assert plain.count("\n#") == hostile.count("\n#")
    assert "<script" not in hostile.replace("\\<script", "")

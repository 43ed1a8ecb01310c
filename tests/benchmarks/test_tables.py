"""The comparison on tables: its splits, what it prepares for the peers, and what it prints."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.benchmarks.conftest import BENCHMARKS, RunScript


@pytest.fixture
def tables_split(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of that name in `benchmarks/`."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("tables_split")


@pytest.fixture
def tables_ours(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of that name in `benchmarks/`."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("tables_ours")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small tables with the names and targets of real ones."""
    random = np.random.default_rng(0)
    churn = ["customerID,tenure,Contract,Churn"]
    cars = ["Make,Year,MSRP"]
    for i in range(60):
        tenure, make = int(random.integers(1, 70)), "ABC"[i % 3]
        blank = " " if i == 7 else tenure
        churn.append(f"id-{i},{blank},{'month' if i % 2 else 'year'},{'Yes' if tenure < 20 else 'No'}")
        cars.append(f"{make},{1990 + i % 20},{1000 * (i % 20) + 500 * (i % 3)}")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "telco_churn.csv").write_text("\n".join(churn) + "\n")
    (folder / "cars.csv").write_text("\n".join(cars) + "\n")
    return folder


def test_peers_are_compared_on_the_same_rows(run_script: RunScript, folder: Path) -> None:
    """A table has a line per metric and a column per peer, and what was run is kept."""
    arguments = ("--data", folder, "--tables", "cars,telco_churn", "--peers", "constant", "--peers-only")
    output = run_script("tables.py", *arguments)
    kept = Path("tables/cars-constant-seed0.npz")
    written = kept.stat().st_mtime_ns

    rows = json.loads(Path("tables/results.json").read_text())["results"]
    assert [(row["table"], row["metric"]) for row in rows] == [
        ("cars", "rmse"),
        ("telco_churn", "accuracy"),
        ("telco_churn", "auc"),
    ]
    assert [line.split()[:2] for line in output.splitlines() if line.startswith((" cars", " telco"))] == [
        [row["table"], row["metric"]] for row in rows
    ]
    assert rows[2]["value"] == 0.5
    run_script("tables.py", *arguments)
    assert kept.stat().st_mtime_ns == written


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["boosting", "sklearn_mlp", "sklearn_mlp_stopped", "lightgbm", "catboost"])
def test_each_peer_beats_a_constant(run_script: RunScript, folder: Path, peer: str) -> None:
    """It is trained on numbers and categories, with a missing value among them."""
    package = {"lightgbm": "lightgbm", "catboost": "catboost"}.get(peer, "sklearn")
    pytest.importorskip(package)
    run_script(
        "tables.py", "--data", folder, "--tables", "cars,telco_churn", "--peers", f"constant,{peer}", "--peers-only"
    )

    rows = json.loads(Path("tables/results.json").read_text())["results"]
    values = {(row["metric"], row["learner"]): row["value"] for row in rows}
    assert values["auc", peer] > values["auc", "constant"]
    assert values["rmse", peer] < 1.01 * values["rmse", "constant"]


def test_ours_is_compared_with_each_peer(run_script: RunScript, folder: Path) -> None:
    """From kept predictions: the true values are better than a constant, by a ratio of 0."""
    arguments = ("--data", folder, "--tables", "cars", "--peers", "constant")
    run_script("tables.py", *arguments, "--peers-only")
    split = importlib.import_module("tables_split").split(folder, "cars")
    np.savez("tables/cars-tuner-seed0.npz", predictions=split.y(split.test), seconds=1.0)

    output = run_script("tables.py", *arguments)

    assert "better 0.000" in output


def test_a_peer_that_is_not_installed_is_left_out(run_script: RunScript, folder: Path) -> None:
    """The others are compared."""
    bare = folder / "bare"
    bare.write_text("#!/bin/sh\necho 'ModuleNotFoundError: pytabkit' >&2\nexit 1\n")
    bare.chmod(0o755)

    run_script("tables.py", "--data", folder, "--tables", "cars", "--peers", "constant,realmlp", "--peers-only",
               "--python", f"realmlp={bare}")  # fmt: skip

    rows = json.loads(Path("tables/results.json").read_text())["results"]
    assert [row["learner"] for row in rows] == ["constant"]


def test_every_fifth_row_of_the_shuffled_table_tests(tables_split: ModuleType, folder: Path) -> None:
    """All rows are on one side, as they stand in the file."""
    data = tables_split.split(folder, "telco_churn")

    assert (len(data.train), len(data.test), data.classes) == (48, 12, ["No", "Yes"])
    assert {row[0] for row in (*data.train, *data.test)} == {f"id-{i}" for i in range(60)}


def test_peers_read_numbers_and_categories(tables_split: ModuleType, folder: Path, tmp_path: Path) -> None:
    """A blank among numbers is missing, and text that is different in each row is left out."""
    tables_split.prepare(tmp_path / "prepared.npz", tables_split.split(folder, "telco_churn"))

    with np.load(tmp_path / "prepared.npz") as arrays:
        numbers = np.concatenate([arrays["number_train"], arrays["number_test"]])
        assert numbers.shape == (60, 1)
        assert np.isnan(numbers).sum() == 1
        assert arrays["category_train"].shape == (48, 1)
        assert set(arrays["category_train"][:, 0]) == {"month", "year"}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5", "", "3"], [1, 2.5, np.nan, 3]),
        (["01/02/2011", "03/02/2011"], [734169, 734171]),
        (["a", "b", "1"], None),
        (["", "?"], None),
    ],
)
def test_text_that_is_mostly_numbers_or_dates_becomes_numbers(
    tables_split: ModuleType, cells: list[str], expected: list[float] | None
) -> None:
    """Dates are days."""
    found = tables_split.as_numbers(cells)

    if expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, expected)


RECIPE = """[table]
target = "MSRP"
[space]
layers = 3
numeric_embedding = {type = "choice", choices = ["none", "periodic"]}
periodic_scale = {type = "float", low = 0.1, high = 1.0, when = {numeric_embedding = "periodic"}}
dropout = {type = "float", low = 0.1, high = 0.5}
beta_2 = {type = "choice", choices = [0.95, 0.98]}
[[start]]
label = "RealMLP-TD"
params = {numeric_embedding = "periodic", periodic_scale = 0.1, dropout = 0.15, beta_2 = 0.95}
"""


def test_an_ingredient_that_is_off_has_the_value_of_a_plain_mlp(tables_ours: ModuleType) -> None:
    """For the start configurations too. What depends on it is left out, and the rest of the recipe stays."""
    recipe = tomllib.loads(tables_ours.changed_recipe(RECIPE, Path("/a b/test.csv"), ["numeric_embedding", "beta_2"]))

    assert recipe["table"] == {"target": "MSRP", "test": "/a b/test.csv"}
    space = recipe["space"]
    assert (space["numeric_embedding"], space["beta_2"], space["layers"]) == ("none", 0.999, 3)
    assert "periodic_scale" not in space
    assert recipe["start"][0]["params"] == {"dropout": 0.15}
    with pytest.raises(SystemExit, match="there is no ingredient 'wings': choose of layers, numeric_embedding"):
        tables_ours.changed_recipe(RECIPE, Path("test.csv"), ["wings"])


def test_predictions_are_read_by_the_names_of_their_columns(tables_ours: ModuleType, tmp_path: Path) -> None:
    """Probabilities in the order of the classes, or numbers."""
    path = tmp_path / "predictions.csv"
    path.write_text("prediction,p_b,p_a\na,0.25,0.75\n")
    assert tables_ours.read_predictions(path, ["a", "b"]).tolist() == [[0.75, 0.25]]

    path.write_text("prediction\n1.5\n2\n")
    assert tables_ours.read_predictions(path, []).tolist() == [1.5, 2.0]

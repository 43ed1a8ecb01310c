"""The manifest of an exported model that somebody sent cannot fill the memory, nor end in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.measured import measured
from tuner.delivery.folder import check_target
from tuner.errors import UsageError

VERSION = '{"manifest_version": 1'
MANIFESTS = {
    "lists in lists": (VERSION + ', "files": ' + "[" * 3000 + "]" * 3000 + "}", "nested more than 50 levels"),
    "objects": (VERSION + ', "files": [' + "{}," * 4_000_000 + "{}]}", "it has too many values: 20,0"),
    "class names that are none": (VERSION + ', "class_names": [' + "1," * 3_000_000 + "1]}", "manifest.json: "),
    "more than is read": (VERSION + "}" + " " * 17_000_000, "has more than 16.8 MB"),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_hostile_manifest_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    """Commands that load a model refuse it, and `export --force` replaces no folder that holds it."""
    text, message = MANIFESTS[case]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text(text)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    predicted = measured("predict", "model", "rows.csv", folder=tmp_path)

    assert predicted.exit_code in {1, 2}, predicted.stderr
    assert message in predicted.stderr.splitlines()[0]
    assert len(predicted.stderr.splitlines()[0]) < 1000
    assert predicted.growth < 600_000_000


def test_force_replaces_no_folder_with_a_hostile_manifest(tmp_path: Path) -> None:
    """It cannot be told from a folder of the user."""
    (tmp_path / "manifest.json").write_text(MANIFESTS["lists in lists"][0])

    with pytest.raises(UsageError, match="is not an exported model"):
        check_target(tmp_path, force=True)

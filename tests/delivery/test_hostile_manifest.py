"""Whatever text a manifest holds: no command passes it on to the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from tests.hostile import HOSTILE, assert_harmless
from tuner.cli.main import main

Place = tuple[str | int, ...]


def texts(document: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of each text in a JSON document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        if isinstance(value, str):
            yield (*place, key)
        yield from texts(value, (*place, key))


def planted(document: Any, place: Place) -> Any:
    """Return a copy of the document with a hostile text at a place."""
    copied = json.loads(json.dumps(document))
    holder = copied
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = HOSTILE
    return copied


def test_no_command_passes_the_text_of_a_manifest_on(
    exported: Path, tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """Each text of the manifest in turn: names of classes, of the study, the data, the files, the versions."""
    x, y = digits
    np.savez(tmp_path / "own.npz", x=x[:20], y=y[:20])
    file = exported / "manifest.json"
    valid = json.loads(file.read_text(encoding="utf-8"))
    places = list(texts(valid))
    assert ("class_names", 3) in places

    for place in places:
        file.write_text(json.dumps(planted(valid, place)), encoding="utf-8")
        for verb in ("predict", "evaluate"):
            for flags in ([], ["--json"]):
                words = [verb, str(exported), str(tmp_path / "own.npz"), "--runtime", "onnx", *flags]
                result = CliRunner().invoke(main, words, env={"COLUMNS": "200"})
                assert result.exit_code in {0, 1, 2}, (place, words, result.output)
                assert_harmless(result.output, is_csv=verb == "predict" and not flags)


def test_a_hint_that_lists_names_passes_none_on(exported: Path, tmp_path: Path) -> None:
    """Names of arrays and columns of somebody else's files stand in errors and hints."""
    arrays: dict[str, Any] = {HOSTILE: np.zeros(3), f"{HOSTILE}2": np.zeros(3)}
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "a.csv").write_text(f'"{HOSTILE}",b\n1,2\n', encoding="utf-8")
    (tmp_path / "my.toml").write_text(f"data = {json.dumps(HOSTILE)}\n[space]\n{json.dumps(HOSTILE)} = 1\n")
    for words in (
        ("predict", str(exported), str(tmp_path / "a.npz")),
        ("predict", str(exported), str(tmp_path / "a.csv")),
        ("predict", str(exported), str(tmp_path / HOSTILE.replace("/", ""))),
        ("evaluate", str(exported), str(tmp_path / "a.npz")),
        ("space", "check", str(tmp_path / "my.toml")),
        ("study", "start", HOSTILE),
        ("data", "fetch", HOSTILE),
    ):
        result = CliRunner().invoke(main, [*words], env={"COLUMNS": "200"})

        assert result.exit_code in {1, 2}, (words, result.output)
        assert_harmless(result.output)

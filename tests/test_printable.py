"""Names that a terminal would obey are refused when they are new, and escaped where they are old."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import studies
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.config.recipe_files import load_recipe
from tuner.data.user_file import load_user_file
from tuner.errors import DataError, RecipeError, UsageError
from tuner.output_file import OutputFile
from tuner.printable import escaped, is_printable

HOSTILE = ["a\x1b[31m", "a\rb", "a\nb", "\x9b2J", "a\u202eb", "a\x7f", "zero\u200bwidth", "a\u2028b", "\udcff"]


@pytest.mark.parametrize(
    "text",
    ["plain", "a b", "é 数 ü", "👩\u200d👩\u200d👧", "\u0645\u06cc\u200c\u062e\u0648", "[red]x[/red]", "\\x1b"],
)
def test_words_of_any_language_are_printable(text: str) -> None:
    """Joiners are part of words and of emoji."""
    assert is_printable(text)
    assert escaped(text) == text
    assert studies.check_name(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_would_obey_is_escaped_and_refused(text: str) -> None:
    """The escape is ASCII and can itself be shown."""
    assert not is_printable(text)
    assert is_printable(escaped(text))
    with pytest.raises(UsageError, match="must be one line of printable text") as error:
        studies.check_name(text)
    assert is_printable(str(error.value))


def test_a_recipe_with_control_characters_is_refused(tmp_path: Path) -> None:
    """In labels, choices and names of the data; a description may have several lines."""
    text = 'data = "digits"\ndescription = """two\nlines"""\n[space]\nlayers = 1\nunits = 8\n'
    text += '[[start]]\nlabel = "LABEL"\nparams = {}\n'
    file = tmp_path / "my.toml"
    file.write_text(text)
    load_recipe(file)

    file.write_text(text.replace("LABEL", "a\\u001b[2J"))
    with pytest.raises(
        RecipeError, match=r"start\.label of my\.toml must be one line of printable text, got 'a\\x1b\[2J'"
    ):
        load_recipe(file)
    file.write_text(text.replace("two\nlines", "two\\u001blines"))
    with pytest.raises(RecipeError, match="description of my"):
        load_recipe(file)


def test_class_names_with_control_characters_are_refused(tmp_path: Path) -> None:
    """Before anything is trained."""
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    file = tmp_path / "data.npz"
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y, class_names=np.array(["cat", "dog\x1b]0;x\x07"]))

    with pytest.raises(
        DataError, match=r"each of class_names must be one line of printable text, got 'dog\\x1b\]0;x\\x07'"
    ):
        load_user_file(file)


def test_an_archive_with_a_hostile_name_or_label_is_refused(tmp_path: Path, home: Path) -> None:
    """Unless it is imported under another name; nothing is written."""
    run_scripted(home, small_recipe(start=[{"label": "first", "params": {"learning_rate": 0.01}}]))
    file, here = tmp_path / "x.zip", locate(home=tmp_path / "other")
    with studies.existing(locate(home=home), "small") as study:
        write_archive(study, OutputFile(file))
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    def pack(**changes: object) -> None:
        manifest = json.loads(contents["manifest.json"])
        manifest["study"] |= changes
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in contents.items():
                archive.writestr(name, json.dumps(manifest) if name == "manifest.json" else data)

    recipe = json.loads(contents["manifest.json"])["study"]["recipe"]
    pack(name="a\x1b[2J")
    with pytest.raises(UsageError, match="a study's name must be one line"):
        import_archive(file, here)
    pack(recipe=recipe | {"start": [recipe["start"][0] | {"label": "\x1b[2J"}]})
    with pytest.raises(RecipeError, match=r"start\.label"):
        import_archive(file, here)
    assert not (tmp_path / "other").exists()
    pack(name="a\x1b[2J")
    assert import_archive(file, here, "plain")[0] == "plain"

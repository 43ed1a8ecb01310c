"""The command ``tuner space init``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from click.testing import CliRunner

from tuner.cli.main import main


def test_the_recipe_of_a_table_can_be_started(tmp_path: Path) -> None:
    """It names the target, each column and the share of validation rows, and a study accepts it."""
    table = tmp_path / "things.csv"
    table.write_text("size,colour,label\n" + "".join(f"{i}.5,{'rgb'[i % 3]},{'ny'[i % 2]}\n" for i in range(60)))

    written = CliRunner().invoke(main, ["space", "init", str(table), "--target", "label"])
    (tmp_path / "my.toml").write_text(written.stdout)
    checked = CliRunner().invoke(main, ["space", "check", str(tmp_path / "my.toml")])

    recipe = tomllib.loads(written.stdout)
    assert (written.exit_code, checked.exit_code) == (0, 0), checked.output
    assert (recipe["validation"], recipe["table"]["target"]) == (0.2, "label")
    assert set(recipe["table"]["columns"]) == {"size", "colour"}

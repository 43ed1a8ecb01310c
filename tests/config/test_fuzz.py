"""Whatever a recipe file holds, checking it ends in words, uses little memory and touches no other file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tuner_search_spaces
from hypothesis import given
from hypothesis import strategies as st

from tests.damage import assert_refused_or_read, damaged, fuzz, write
from tests.sandbox import Sandbox

RECIPES = Path(tuner_search_spaces.__file__).parent
VALID = (RECIPES / "digits.toml").read_bytes()
VALUES = (
    "0", "-1", "1e-9", "1e308", "nan", "-inf", "10000000000000000000", "true", '""', '"\\u001B[2J"', '"../x"', "[]",
    "{}", "[[[]]]", "[" * 3000 + "]" * 3000, "2026-01-01", "0x7fffffffffffffff",
    '{ type = "int", low = 1, high = 9e18 }',
    '{ type = "int", low = 0, high = 9223372036854775807 }', '{ type = "float", low = 0, high = 1, step = 1e-12 }',
    '{ type = "float", low = 1, high = 1, log = true }', '{ type = "choice", choices = [] }', "9" * 5000,
    '{ type = "choice", choices = [1, 1.0, true, "1"] }', '{ type = "int", low = 5, high = 1 }',
)  # fmt: skip


@st.composite
def recipes(draw: st.DrawFn) -> bytes:
    """Draw the text of a recipe with other values, lines removed or repeated, and keys that do not exist."""
    lines = VALID.decode().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[index].partition("=")
        kind = draw(st.sampled_from(["value", "value", "value", "remove", "repeat", "key"]))
        if kind == "value" and equals:
            lines[index] = f"{key}= {draw(st.sampled_from(VALUES))}"
        elif kind == "remove" and len(lines) > 1:
            del lines[index]
        elif kind == "repeat":
            lines.insert(index, lines[index])
        elif kind == "key" and equals:
            lines[index] = f'"{draw(st.sampled_from(["a.b", "", "[red]", "optimizer"]))}" = 1'
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    folder = tmp_path_factory.mktemp("recipes")
    with Sandbox(folder) as process:
        yield process, folder


def checked(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Check a recipe, and how that ends."""
    process, folder = sandbox
    assert_refused_or_read(process.run("space", "check", str(write(folder / "my.toml", content))))


def test_the_valid_recipe_is_accepted(sandbox: tuple[Sandbox, Path]) -> None:
    """If it were not, the other tests would prove nothing."""
    process, folder = sandbox

    assert process.run("space", "check", str(write(folder / "my.toml", VALID))).code == 0


@fuzz
@given(content=damaged(VALID))
def test_any_bytes_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """A recipe that is no TOML, or no text, is refused."""
    checked(sandbox, content)


@fuzz
@given(content=recipes())
def test_any_value_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Numbers beyond any range, empty lists, deep nesting and other types are refused or read."""
    checked(sandbox, content)

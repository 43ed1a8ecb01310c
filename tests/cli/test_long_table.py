"""A table of many rows is printed piece by piece."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rich.table import Table

from tuner.cli.long_table import print_long
from tuner.cli.output import StdoutLostError, print_rich
from tuner.report.tables import new_table


def table(*rows: tuple[str, str]) -> Table:
    """Return a table of two columns."""
    result = new_table()
    result.add_column("time", justify="right")
    result.add_column("configuration", overflow="fold")
    for row in rows:
        result.add_row(*row)
    return result


def test_pieces_look_like_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as no later cell is wider."""
    rows = [("12:34 min", "a" * 200), ("2 s", "b"), ("3 s", "c")]
    print_rich(table(*rows))
    whole = capsys.readouterr().out
    print_long(table(row) for row in rows)

    assert [line.rstrip() for line in capsys.readouterr().out.split("\n")] == [
        line.rstrip() for line in whole.split("\n")
    ]


def test_a_wider_cell_moves_only_the_rows_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It is neither cut nor wrapped."""
    print_long([table(("1 s", "a")), table(("12:34 min", "b")), table(("2 s", "c"))])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    assert lines[3:6] == ["  1 s   a", " 12:34 min   b", "       2 s   c"]


def test_nothing_more_is_made_after_the_reader_has_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with ``tuner study trials NAME | head``."""
    made = []

    def pieces() -> Iterator[Table]:
        for number in range(3):
            made.append(number)
            yield table(("1 s", str(number)))

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(error=BrokenPipeError(), isatty=lambda: False,
                                                       write=len, flush=lambda: None, encoding="utf-8"))  # fmt: skip
    with pytest.raises(StdoutLostError):
        print_long(pieces())

    assert made == [0]

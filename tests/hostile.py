"""Text that a terminal would obey, or that would look like a line of ours, and a check that none is printed."""

from __future__ import annotations

from tuner.printable import is_printable

FORGED = "Error: forged"  # must not become a line of its own
HOSTILE = f"x\x1b[2J\x9b2J[red]y[/red][/b]\u202e\u2066\u200b\x07\x85\u2028\r{FORGED}\n{FORGED}"


def assert_harmless(output: str, *, is_csv: bool = False) -> None:
    """Check what a command printed. A cell of CSV may have several lines."""
    bad = {character for character in output if not is_printable(character)} - {"\n"}
    assert not bad, output
    if not is_csv:
        assert not any(line.startswith(FORGED) for line in output.splitlines()), output

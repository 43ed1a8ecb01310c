"""Reads the Markdown files of the repository: lines, links, headings, and the command lines in their code."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.test_setup import text_files

ROOT = Path(__file__).resolve().parents[1]

FENCE = re.compile(r"\s*```(\w*)")
HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*")
INLINE_CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
WITH_SCHEME = re.compile(r"[a-z]+:")
ASSIGNMENT = re.compile(r"\w+=\S*")
COMMAND_END = {"&&", "||", "|", ";"}
GENERATED = ROOT / "docs" / "cli.md"  # from the commands themselves: its lines show their usage
SHELL = {"indented", "sh", "bash", "console", "text"}  # blocks that may hold command lines


@dataclass(frozen=True)
class Line:
    """One line of a Markdown file.

    ``block`` is the language of the fenced block around it, ``"indented"`` for a block that is indented by four spaces,
    or ``None`` outside of blocks.
    """

    file: Path
    number: int
    text: str
    block: str | None = None

    def __str__(self) -> str:
        """Return the place as an editor opens it."""
        return f"{self.file.relative_to(ROOT)}:{self.number}"


@cache
def markdown_lines() -> dict[Path, list[Line]]:
    """Return the lines of every Markdown file that is, or would be, committed."""
    return {ROOT / name: list(_lines(ROOT / name, text)) for name, text in text_files() if name.suffix == ".md"}


def _lines(file: Path, text: str) -> Iterator[Line]:
    fence: str | None = None
    indented, blank = False, True
    for number, line in enumerate(text.splitlines(), 1):
        if match := FENCE.match(line):
            fence = (match[1] or "text") if fence is None else None
            indented, blank = False, False
            continue
        if fence is None and line.strip():
            indented = line.startswith("    ") and (indented or blank)  # continues a paragraph or list item otherwise
        blank = not line.strip()
        yield Line(file, number, line, fence or ("indented" if indented else None))


def anchors(lines: Iterable[Line]) -> set[str]:
    """Return the anchors of a file's headings, built as GitHub does."""
    seen: Counter[str] = Counter()
    slugs = set()
    for line in lines:
        if line.block is None and (heading := HEADING.fullmatch(line.text)):
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            slugs.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return slugs


def links() -> Iterator[tuple[Line, str]]:
    """Yield each relative link with the line that holds it."""
    for lines in markdown_lines().values():
        for line in lines:
            if line.block is None:
                for match in LINK.finditer(INLINE_CODE.sub("", line.text.replace("[`", "[").replace("`]", "]"))):
                    if not WITH_SCHEME.match(match[1]):
                        yield line, match[1]


def commands(line: str) -> Iterator[list[str]]:
    """Yield the ``tuner`` command lines in a line of shell, as words without ``tuner`` and without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in COMMAND_END:
            words.append(word)
            continue
        while words and ASSIGNMENT.fullmatch(words[0]):  # VARIABLE=value before the command
            words.pop(0)
        if words and words[0] == "tuner":
            yield words[1 : words.index(">") if ">" in words else None]
        words = []


def shell_commands() -> list[tuple[Line, list[str]]]:
    """Return each ``tuner`` command line of the code blocks with its place, but for the generated page."""
    return [
        (line, words)
        for file, lines in markdown_lines().items()
        if file != GENERATED
        for line in lines
        if line.block in SHELL
        if re.search(r"\btuner ", line.text)
        for words in commands(line.text.strip().removeprefix("$ "))
    ]


def fenced_blocks(lines: Iterable[Line]) -> Iterator[tuple[str, int, str]]:
    """Yield each fenced block: its language, its first line and its text."""
    block: list[Line] = []
    for line in [*lines, Line(ROOT, 0, "")]:
        if block and (line.block != block[0].block or line.number != block[-1].number + 1):
            yield str(block[0].block), block[0].number, "\n".join(each.text for each in block)
            block = []
        if line.block not in {None, "indented"}:
            block.append(line)

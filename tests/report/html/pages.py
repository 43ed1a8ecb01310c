"""Reads a page as a program: its text without tags, and its figures."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "img", "input", "hr"}


class _Reader(HTMLParser):
    """Collects elements, text and the contents of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.blocks: dict[str, str] = {}
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._inside.append(dict(attrs).get("id") or tag if tag == "script" else tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        inside = self._inside[-1] if self._inside else ""
        if inside in {"figures", "plotly"}:
            self.blocks[inside] = self.blocks.get(inside, "") + data
        elif inside not in {"script", "style"}:
            self.words.append(data)


@dataclass(frozen=True)
class Page:
    """A page: its source, what a reader sees, its elements, and its figures by id."""

    source: str
    text: str
    tags: list[tuple[str, dict[str, str | None]]]
    figures: dict[str, Any]

    def texts_of_figures(self) -> list[str]:
        """Return all texts in the figures, which Plotly reads as markup."""
        return [text for text in _strings(self.figures) if text]


def read_page(source: str) -> Page:
    """Read the source of a page."""
    reader = _Reader()
    reader.feed(source)
    figures = json.loads(gzip.decompress(base64.b64decode(reader.blocks["figures"])))
    return Page(source, re.sub(r"\s+", " ", " ".join(reader.words)), reader.tags, figures)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, each in value.items() if key != "bdata" for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return []

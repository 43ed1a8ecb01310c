"""Hypothesis strategies that damage valid files: some bytes of any file, or the contents of a well-formed one."""

from __future__ import annotations

import copy
import io
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.sandbox import Ended

# 40 examples per test take a few seconds. `make fuzz` draws others each time, and more of them.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
fuzz = settings(
    max_examples=EXAMPLES,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
MEMORY = 10**9  # bytes that no input may make a command use

_DEPTH = 3000  # more than Python's stack holds
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_WORDS = (
    b"", b"\0", b"\n", b'"', b"\xff", b"\xe2\x80\xae", b"\x1b[2J", b"../../../etc/passwd", b"/etc/passwd",
    b"nan", b"1e999", b"9" * 400, b"-1", b"[" * _DEPTH, b"{" * _DEPTH, b"a" * 140_000,
)  # fmt: skip


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 2**31, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", " ", "0", "nan", "a\nb",
    "\0", "\x1b[2J", "\u202e", "\ud800", "[red]", "../../../etc/passwd", "/etc/passwd", "a" * 100_000, [], {}, [None],
    [[]], {"": None}, {"type": "int"}, _nested(50),
)  # fmt: skip


def assert_refused_or_read(ended: Ended) -> None:
    """The command did its work or said in words why not, within its memory, and touched nothing else."""
    assert ended.code in {0, 1, 2, 3}, ended
    assert "Traceback" not in ended.stderr, ended.stderr
    assert "bug in tuner" not in ended.stderr, ended.stderr
    assert not ended.touched, ended.touched
    assert not ended.started, ended.started
    assert ended.memory < MEMORY
    if ended.code:
        assert sum(line.startswith("Error: ") for line in ended.stderr.splitlines()) == 1, ended.stderr


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Draw a copy of a file in which some bytes were changed, removed, added or repeated."""
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 64)))
        kind = draw(st.sampled_from(["flip", "replace", "remove", "repeat", "cut"]))
        if kind == "flip" and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "replace":
            content[start:end] = draw(st.one_of(st.binary(max_size=64), st.sampled_from(_WORDS)))
        elif kind == "remove":
            del content[start:end]
        elif kind == "repeat":
            content[start:start] = content[start:end] * draw(st.sampled_from([1, 2, 100]))
        elif kind == "cut":
            del content[start:]
    return bytes(content)


@st.composite
def altered(draw: st.DrawFn, document: Any) -> Any:
    """Draw a copy of a JSON document in which some values were replaced, removed, added or renamed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_places(document)) or [(None, None)]))
        if holder is None:
            return draw(st.sampled_from(_VALUES))
        kind = draw(st.sampled_from(["replace", "remove", "swap", "rename"]))
        if kind == "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
        elif kind == "remove":
            del holder[key]
        elif kind == "swap":
            other, name = draw(st.sampled_from(list(_places(document))))
            holder[key] = copy.deepcopy(other[name])
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "a\nb", "\x1b[2J", "../x", "epochs"]))] = holder.pop(key)
        else:
            holder.append(copy.deepcopy(holder[key]))
    return document


def _places(document: Any) -> Any:
    """Yield each place of a document that holds a value, as its container and its key."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in list(items):
        yield document, key
        yield from _places(value)


@st.composite
def packed(
    draw: st.DrawFn, members: Mapping[str, bytes], change: Callable[[str, bytes], st.SearchStrategy[bytes]]
) -> bytes:
    """Draw a zip file whose checksums are right, with one member changed, renamed, doubled or left out."""
    names = list(members)
    chosen = draw(st.sampled_from(names))
    kind = draw(st.sampled_from(["change", "change", "change", "rename", "double", "leave out", "encrypt"]))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members with one name
        for name, content in members.items():
            method = draw(st.sampled_from(_METHODS)) if name == chosen else zipfile.ZIP_STORED
            if name != chosen:
                archive.writestr(name, content, method)
            elif kind == "change":
                archive.writestr(name, draw(change(name, content)), method)
            elif kind == "rename":
                archive.writestr(draw(st.sampled_from(["../x", "/x", "a\0b", name + "/", "x" * 300])), content, method)
            elif kind == "double":
                archive.writestr(name, content, method)
                archive.writestr(name, content, method)
            elif kind == "encrypt":
                archive.writestr(name, content, method)
                archive.filelist[-1].flag_bits |= 1
    return file.getvalue()


@st.composite
def png(draw: st.DrawFn, valid: bytes) -> bytes:
    """Draw a PNG whose checksums are right, with one chunk changed, doubled, left out or new."""
    chunks, place = [], 8
    while place < len(valid):
        (length,) = struct.unpack(">I", valid[place : place + 4])
        chunks.append((valid[place + 4 : place + 8], valid[place + 8 : place + 8 + length]))
        place += 12 + length
    index = draw(st.integers(0, len(chunks) - 1))
    name, content = chunks[index]
    kind = draw(st.sampled_from(["change", "double", "leave out", "size", "new", "unpack"]))
    if kind == "change":
        chunks[index] = (name, draw(damaged(content)))
    elif kind == "double":
        chunks.insert(index, (name, content))
    elif kind == "leave out":
        del chunks[index]
    elif kind == "size":
        size = st.sampled_from([0, 1, 5, 30_000, 2**31 - 1, 2**32 - 1])
        chunks[0] = (b"IHDR", struct.pack(">II", draw(size), draw(size)) + chunks[0][1][8:])
    elif kind == "new":
        chunks.insert(
            index,
            (
                draw(st.sampled_from([b"tRNS", b"PLTE", b"zTXt", b"iCCP", b"acTL", b"eXIf"])),
                draw(st.binary(max_size=64)),
            ),
        )
    else:
        chunks[1:-1] = [(b"IDAT", zlib.compress(bytes(draw(st.sampled_from([0, 10, 10**7])))))]
    return valid[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write(path: Path, content: bytes) -> Path:
    """Write a file, and return its path."""
    path.write_bytes(content)
    return path

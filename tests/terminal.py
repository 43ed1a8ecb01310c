"""Runs a program in a real terminal of a given size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(words: Sequence[str], *, columns: int, env: Mapping[str, str], lines: int = 50) -> str:
    """Return what a program writes to a terminal of this size, with its escape codes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env={"TERM": "xterm", **environment})
    os.close(slave)
    parts = []
    try:
        while part := os.read(master, 65536):
            parts.append(part)
    except OSError:  # the last program that had the terminal open has ended
        pass
    finally:
        os.close(master)
        process.wait(timeout=30)
    return b"".join(parts).decode().replace("\r", "")


def without_codes(text: str) -> str:
    """Return a text without its escape codes."""
    return _CODES.sub("", text)

"""What a login to the dashboard takes: the password in a file, or a token that was made for one server."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Self

from tuner.command_line import shell_quote
from tuner.errors import UsageError

SHORTEST = 8  # characters of a password
LONGEST = 1024  # characters, also of what is typed


class Secret:
    """A password or a token. It is not kept, only a digest of it; so no error and no log can show it.

    Args:
        text: The password or token.
        token: The same, if it may be shown in a link.
    """

    def __init__(self, text: str, *, token: str | None = None) -> None:
        self._digest = _digest(text)
        self._token = token

    @classmethod
    def generated(cls) -> Self:
        """Return a new random token, which cannot be guessed."""
        token = secrets.token_urlsafe(32)
        return cls(token, token=token)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the password that a file holds as its only line.

        Raises:
            UsageError: If it cannot be read, others can read it, or it holds no password.
        """
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read(LONGEST * 4 + 3)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", hint="name a file with a password") from None
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
            raise UsageError(
                f"{path} with the password can be used by others: its permissions are {status.st_mode & 0o777:04o}",
                hint=f"chmod 600 {shell_quote(str(path))}",
            )
        return cls(_password(path, content))

    @property
    def token(self) -> str | None:
        """The token for a link; ``None`` for a password."""
        return self._token

    def matches(self, text: str) -> bool:
        """Return whether a text is this secret; the time that this takes tells nothing about it."""
        return hmac.compare_digest(_digest(text), self._digest)


def _password(path: Path, content: bytes) -> str:
    """Return the only line of a file of passwords. No message repeats it."""
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8", hint="write the password into it as one line") from None
    if not text.strip():
        raise UsageError(f"{path} holds no password", hint="write one into it as its only line")
    if "\n" in text or len(text) > LONGEST:
        raise UsageError(
            f"{path} holds more than one line of up to {LONGEST} characters", hint="leave the password alone in it"
        )
    if len(text) < SHORTEST:
        raise UsageError(f"the password in {path} is too short", hint=f"it takes at least {SHORTEST} characters")
    return text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()

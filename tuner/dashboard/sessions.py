"""Sessions of those who have logged in: signed values for a cookie."""

from __future__ import annotations

import secrets
from collections import deque

from itsdangerous import BadData, URLSafeTimedSerializer

SESSION_SECONDS = 24 * 3600
_MOST_ENDED = 1000  # only those who are logged in can end sessions


class Sessions:
    """Makes and checks sessions. They end with the server, because its key is random.

    Args:
        seconds: How long a session lasts.
    """

    def __init__(self, seconds: int = SESSION_SECONDS) -> None:
        self._serializer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="session")
        self._seconds = seconds
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)

    def new(self) -> str:
        """Return the value of a new session."""
        return str(self._serializer.dumps(secrets.token_urlsafe(16)))

    def is_valid(self, value: str) -> bool:
        """Return whether a value is that of a session which lasts."""
        session = self._read(value)
        return session is not None and session not in self._ended

    def end(self, value: str) -> None:
        """End a session, also for whoever has a copy of its cookie."""
        session = self._read(value)
        if session is not None:
            self._ended.append(session)

    def _read(self, value: str) -> str | None:
        try:
            return str(self._serializer.loads(value, max_age=self._seconds))
        except BadData:
            return None

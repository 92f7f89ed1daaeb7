"""Who may use the server: a one-time token in its address, then a cookie; a password elsewhere."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from idia_index.serve.desk import Desk

COOKIE = "idia_index_session"
_TRIES, _PAUSE = 5, 60.0  # wrong passwords, and the seconds that it then takes


@dataclass
class Session:
    """A browser that showed the token or the password.

    Attributes:
        content: what it works on.
        csrf: what every form of its pages carries.
    """

    content: Desk
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Keys:
    """The sessions of a server, and what opens a new one."""

    def __init__(self, make: Callable[[], Desk], password: str | None = None) -> None:
        self.token = secrets.token_urlsafe(24)
        self.takes_password = password is not None
        self._password = password
        self._make = make
        self._used = False
        self._sessions: dict[str, Session] = {}
        self._wrong: list[float] = []

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie."""
        return self._sessions.get(cookie or "")

    def contents(self) -> list[Desk]:
        """What all sessions work on."""
        return [session.content for session in self._sessions.values()]

    def enter(self, token: str) -> str | None:
        """The cookie of a new session; None where the token is wrong or was used before."""
        if self._used or not _same(token, self.token):
            return None
        self._used = True
        return self._open()

    def log_in(self, password: str) -> str | None:
        """The cookie of a new session; None where the password is wrong, or was too often."""
        now = time.monotonic()
        self._wrong = [moment for moment in self._wrong if now - moment < _PAUSE]
        if self._password is None or len(self._wrong) >= _TRIES:
            return None
        if not _same(password, self._password):
            self._wrong.append(now)
            return None
        return self._open()

    def _open(self) -> str:
        cookie = secrets.token_urlsafe(32)
        self._sessions[cookie] = Session(self._make())
        return cookie


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8"))

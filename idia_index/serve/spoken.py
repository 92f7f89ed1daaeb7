"""Pages in the language that was chosen on them, at the start, or in the browser."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from idia_index.report.language import LANGUAGES, speaking
from idia_index.serve.keys import Session


class Spoken:
    """Answers every request in its language; behind the guard, which finds the session."""

    def __init__(self, app: ASGIApp, language: str | None) -> None:
        self._app = app
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: Session | None = scope.get("session")
        chosen = session.content.language if session else None
        if scope["type"] == "http":
            chosen = chosen or self._language or _preferred(HTTPConnection(scope))
        with speaking(chosen or "en"):
            await self._app(scope, receive, send)


def _preferred(connection: HTTPConnection) -> str:
    """The language of ours that the browser likes best."""
    liked: dict[str, float] = {}
    for part in connection.headers.get("accept-language", "").split(","):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and quality > 0:
            liked[language] = max(quality, liked.get(language, 0.0))
    return max(liked, key=lambda language: liked[language], default="en")

"""What stands before every page: whose request it is, what it may do, in which language."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idia_index.report.language import LANGUAGES, speaking
from idia_index.serve.keys import COOKIE, Keys, Session

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'{style}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would send "Origin: null" with the server's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_OPEN = ("/enter", "/login", "/static/style.css")


class Guard:
    """Refuses other hosts, other sites' forms, and whoever has no session.

    A page of another site can send requests to this machine, under this machine's name too (DNS
    rebinding): hence the check of the host, which no such page can forge.
    """

    def __init__(self, app: ASGIApp, keys: Keys, hosts: Collection[str]) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here is a websocket

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", POLICY.format(style=""))
            await send(message)

        connection = HTTPConnection(scope)
        refusal = self._refusal(connection, scope["method"], scope["path"])
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        scope["session"] = self._keys.session(connection.cookies.get(COOKIE))
        await self._app(scope, receive, send_guarded)

    def _refusal(self, connection: HTTPConnection, method: str, path: str) -> Response | None:
        host = connection.headers.get("host", "")
        if host not in self._hosts:
            return _no(
                "This server answers to the address that the terminal shows, and to no other."
            )
        origin = connection.headers.get("origin")
        if method not in ("GET", "HEAD") and origin not in (None, f"http://{host}"):
            return _no("This form was sent by another site, and was not obeyed.")
        if path in _OPEN or self._keys.session(connection.cookies.get(COOKIE)) is not None:
            return None
        if self._keys.takes_password:
            return RedirectResponse("/login", 303)
        return _no(
            "This page belongs to whoever started it in the terminal: open the link that it shows."
        )


def _no(why: str) -> Response:
    return PlainTextResponse(why + "\n", 403)


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

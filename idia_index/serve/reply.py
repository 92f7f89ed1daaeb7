"""Pages as responses, and forms that prove where they come from."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, TypeVar

from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idia_index.errors import IdiaIndexError
from idia_index.pipelines.replay import value_made_again
from idia_index.report.glossary import glossary
from idia_index.report.html import environment
from idia_index.report.language import LANGUAGES, _, spoken
from idia_index.report.notes import notes
from idia_index.report.officer import found_of_all
from idia_index.report.page import page_warnings
from idia_index.report.photos import ENOUGH
from idia_index.report.strength import comparison, grade_name, strength_reason, strength_rule
from idia_index.serve import wording
from idia_index.serve.desk import Case, Check, Desk, Group, SaidError
from idia_index.serve.guard import POLICY
from idia_index.serve.keys import Session
from idia_index.serve.server import Server
from idia_index.serve.uploads import Form, read_form
from idia_index.support.offline import is_offline
from idia_index.support.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
FormHandler = Callable[[Request, Form], Awaitable[Response]]


_WORDING = (
    "bases", "explanations", "framings", "job_title", "plan_sentences", "replay_title", "short",
    "stage_text", "truth_of", "verdict_sentence",
)  # fmt: skip


def _fill(text: str, **parts: object) -> Markup:
    """A message with its places filled; what comes from macros stays HTML."""
    return Markup(escape(text)).format(**parts)


@cache
def _environment() -> Environment:
    """The templates of the pages, over those of reports, whose pieces and style they share."""
    made = environment("idia_index.serve")
    made.filters["fill"] = _fill
    made.globals |= {name: getattr(wording, name) for name in _WORDING}
    made.globals |= {
        "comparison": comparison,
        "enough": ENOUGH,
        "found_of_all": found_of_all,
        "glossary": glossary,
        "grade_name": grade_name,
        "languages": LANGUAGES,
        "listed": 20,
        "mono": lambda text: Markup('<span class="mono">{}</span>').format(text),
        "notes": notes,
        "strength_reason": strength_reason,
        "strength_rule": strength_rule,
        "strong": lambda text: Markup("<strong>{}</strong>").format(text),
        "value_made_again": value_made_again,
        "warnings": page_warnings,
    }
    return made


def server_of(request: Request) -> Server:
    """The server that a request is for."""
    server: Server = request.app.state.server
    return server


def session_of(request: Request) -> Session:
    """The session of a request; the guard let nobody in without."""
    session: Session | None = request.scope["session"]
    if session is None:
        raise HTTPException(403)
    return session


def desk_of(request: Request) -> Desk:
    """What the browser works on."""
    return session_of(request).content


def item_of(request: Request, kind: type[T]) -> T:
    """What the address names, of its kind; a page says so where there is none any more."""
    found = desk_of(request).item(request.path_params["id"])
    if not isinstance(found, kind):
        raise HTTPException(404)
    return found


def begun(request: Request, item: Case | Group | Check) -> None:
    """Puts something new on the desk; raises InputError where too much is there."""
    desk = desk_of(request)
    if len(desk.items) >= server_of(request).limits.cases:
        raise SaidError(_("Too many people are open. Delete some under My data."))
    desk.items.append(item)


def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page of the server."""
    session: Session | None = request.scope.get("session")
    text = _environment().get_template(template).render(
        csrf=session.csrf if session else "",
        path=request.url.path,
        here=_address(request),
        language=spoken(),
        server=server_of(request),
        desk=session.content if session else None,
        offline=is_offline(),
        **values,
    )  # fmt: skip
    return HTMLResponse(printable(text), status)


def _address(request: Request) -> str:
    """The page that is shown, for a form to come back to."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}" if request.method == "GET" else "/"


def report_page(text: str) -> Response:
    """A report as it is written to disk, whose style stands in the page."""
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = hashlib.sha256((style.group(1) if style else "").encode("utf-8")).digest()
    policy = POLICY.format(style=f" 'sha256-{base64.b64encode(digest).decode('ascii')}'")
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def running(request: Request, item: Case | Group | Check) -> Response:
    """How far the work is; the page looks again by itself."""
    ahead = server_of(request).jobs.ahead_of(item.job) if item.job else 0
    return page(request, "running.html.j2", job=item.job, ahead=ahead,
                cancel=f"{item.home}/cancel", title=item.title)  # fmt: skip


def go(path: str) -> Response:
    """Another page, after a form."""
    return RedirectResponse(path, 303)


def posted(handler: FormHandler) -> Handler:
    """Reads a form, and refuses one that no page of this session made."""

    @wraps(handler)
    async def read(request: Request) -> Response:
        server, session = server_of(request), session_of(request)
        form = await read_form(request, server.limits, server.room())
        if not hmac.compare_digest(form.fields.get("csrf", "").encode(), session.csrf.encode()):
            raise SaidError(_("This form is of an earlier page. Open the page again and send it."))
        return await handler(request, form)

    return read


async def failed(request: Request, error: Exception) -> Response:
    """The page of what went wrong, in one line."""
    assert isinstance(error, IdiaIndexError)
    return page(request, "wrong.html.j2", 422, told=str(error),
                in_english=not isinstance(error, SaidError), back=_back(request))  # fmt: skip


async def missing(request: Request, error: Exception) -> Response:
    """The page of an address where nothing is."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = _("There is nothing here (any more): what was deleted is gone.")
    return page(request, "wrong.html.j2", status, told=told, in_english=False, back="/")


def _back(request: Request) -> str:
    """The page before, where it is one of the server's."""
    before = request.headers.get("referer", "")
    own = f"http://{request.headers.get('host', '')}"
    return before.removeprefix(own) if before.startswith(f"{own}/") else "/"

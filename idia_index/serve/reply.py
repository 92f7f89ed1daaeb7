"""Pages as responses, and forms that prove where they come from."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idia_index.errors import IdiaIndexError, InputError
from idia_index.report.html import environment
from idia_index.report.strength import RULE, comparison, strength_reason
from idia_index.serve.desk import Case, Desk, Group
from idia_index.serve.guard import POLICY
from idia_index.serve.keys import Session
from idia_index.serve.server import Server
from idia_index.serve.uploads import Form, read_form
from idia_index.serve.wording import explanations, verdict_sentence
from idia_index.support.offline import is_offline
from idia_index.support.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
FormHandler = Callable[[Request, Form], Awaitable[Response]]


@cache
def _environment() -> Environment:
    """The templates of the pages, over those of reports, whose pieces and style they share."""
    made = environment("idia_index.serve")
    made.globals |= {
        "comparison": comparison,
        "strength_reason": strength_reason,
        "strength_rule": RULE,
        "verdict_sentence": verdict_sentence,
        "explanations": explanations,
    }
    return made


def server_of(request: Request) -> Server:
    """The server that a request is for."""
    server: Server = request.app.state.server
    return server


def session_of(request: Request) -> Session[Desk]:
    """The session of a request; the guard let nobody in without."""
    session: Session[Desk] | None = request.scope["session"]
    if session is None:
        raise HTTPException(403)
    return session


def desk_of(request: Request) -> Desk:
    """What the browser works on."""
    return session_of(request).content


def case_of(request: Request) -> Case:
    """The person that the address names; a page says so where there is none any more."""
    return _found(desk_of(request).cases.get(request.path_params["id"]))


def group_of(request: Request) -> Group:
    """The several people that the address names."""
    return _found(desk_of(request).groups.get(request.path_params["id"]))


def _found(item: T | None) -> T:
    if item is None:
        raise HTTPException(404)
    return item


def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page of the server."""
    session: Session[Desk] | None = request.scope.get("session")
    text = _environment().get_template(template).render(
        csrf=session.csrf if session else "",
        path=request.url.path,
        server=server_of(request),
        desk=session.content if session else None,
        offline=is_offline(),
        **values,
    )  # fmt: skip
    return HTMLResponse(printable(text), status)


def report_page(text: str) -> Response:
    """A report as it is written to disk, whose style stands in the page."""
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = hashlib.sha256((style.group(1) if style else "").encode("utf-8")).digest()
    policy = POLICY.format(style=f" 'sha256-{base64.b64encode(digest).decode('ascii')}'")
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def running(request: Request, item: Case | Group, address: str, title: str) -> Response:
    """How far the work is; the page looks again by itself."""
    ahead = server_of(request).jobs.ahead_of(item.job) if item.job else 0
    return page(request, "running.html.j2", job=item.job, ahead=ahead,
                cancel=f"{address}/cancel", title=title)  # fmt: skip


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
            raise InputError("this form is of an earlier page: open the page anew and send it")
        return await handler(request, form)

    return read


async def failed(request: Request, error: Exception) -> Response:
    """The page of what went wrong, in one line."""
    assert isinstance(error, IdiaIndexError)
    return page(request, "wrong.html.j2", 422, told=str(error), back=_back(request))


async def missing(request: Request, error: Exception) -> Response:
    """The page of an address where nothing is."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = "There is nothing here (any more): what was deleted is gone."
    return page(request, "wrong.html.j2", status, told=told, back="/")


def _back(request: Request) -> str:
    """The page before, where it is one of the server's."""
    before = request.headers.get("referer", "")
    own = f"http://{request.headers.get('host', '')}"
    return before.removeprefix(own) if before.startswith(f"{own}/") else "/"

"""Start, login, earlier reports, what is kept, help."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idia_index.encode.image_bytes import ImageBytes
from idia_index.errors import InputError
from idia_index.report.documents import EVALUATION_FORMAT, EvaluationResult
from idia_index.report.language import LANGUAGES, _, spoken
from idia_index.serve.desk import Answer, SaidError, Work
from idia_index.serve.keys import COOKIE
from idia_index.serve.reply import desk_of, go, item_of, page, posted, report_page, server_of
from idia_index.serve.uploads import Form, read_form
from idia_index.support.documents import from_json
from idia_index.support.text import json_text, shown

_FORWARD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>idia-index</title>'
    '<meta http-equiv="refresh" content="0;url=/"></head><body><p><a href="/">Continue</a></p>'
    "</body></html>"
)


async def enter(request: Request) -> Response:
    """Takes the one-time token of the link that the terminal shows."""
    keys = server_of(request).keys
    if request.scope["session"] is not None:
        return go("/")
    cookie = keys.enter(request.query_params.get("token", ""))
    if cookie is None:
        raise SaidError(
            _(
                "This link was used before, or is incomplete. A link opens one browser; start "
                "idia-index serve again for another."
            )
        )
    # A page, not a redirect: a strict cookie is not sent along where another program led here.
    return _with_cookie(HTMLResponse(_FORWARD), cookie)


async def login(request: Request) -> Response:
    """Asks for the password, and takes it."""
    server = server_of(request)
    if request.method == "GET":
        return page(request, "login.html.j2")
    form = await read_form(request, server.limits, 0)
    cookie = server.keys.log_in(form.fields.get("password", ""))
    if cookie is None:
        raise SaidError(
            _("The password is wrong, or was wrong too often. Try again after a minute.")
        )
    return _with_cookie(RedirectResponse("/", 303), cookie)


def _with_cookie(response: Response, cookie: str) -> Response:
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
    return response


async def start(request: Request) -> Response:
    """What it can say and what not; which index; what to do."""
    return page(request, "start.html.j2")


@posted
async def choose(request: Request, form: Form) -> Response:
    """Takes another index."""
    desk_of(request).choice = server_of(request).choice(form.fields.get("index", ""))
    return go("/")


@posted
async def speak(request: Request, form: Form) -> Response:
    """Takes another language."""
    language, back = form.fields.get("language", ""), form.fields.get("back", "")
    if language in LANGUAGES:
        desk_of(request).language = language
    own = back.startswith("/") and not back.startswith(("//", "/\\"))
    return go(back if own else "/")


@posted
async def cancel(request: Request, _: Form) -> Response:
    """Stops what is being done, of whatever kind."""
    item = item_of(request, Work)
    item.cancel()
    return go(item.address)


async def evidence(request: Request) -> Response:
    """All the evidence, as the report of an audit shows it."""
    found = item_of(request, Work).found()
    return report_page(await run_in_threadpool(found.page, spoken()))


async def evidence_file(request: Request) -> Response:
    """The same for programs."""
    text = json_text(item_of(request, Work).found().result.to_dict(), indent=1)
    headers = {"Content-Disposition": 'attachment; filename="report.json"'}
    return Response(text, media_type="application/json", headers=headers)


async def report_form(request: Request) -> Response:
    """Asks for an earlier report."""
    return page(request, "report.html.j2")


@posted
async def show_report(_: Request, form: Form) -> Response:
    """Shows a report.json that was sent."""
    if not form.files:
        raise InputError("choose the report.json of a report")
    return report_page(await run_in_threadpool(_opened, form.files[0], spoken()))


def _opened(file: ImageBytes, language: str) -> str:
    """The page of a report.json in a language; raises InputError for what is none."""
    try:
        data = json.loads(file.data)
        if data["format"] != EVALUATION_FORMAT:
            raise InputError(
                f"{file.name}: format {shown(data['format'])}; reports of {EVALUATION_FORMAT!r} "
                "are opened: make the report again"
            )
        return Answer(from_json(EvaluationResult, data)).page(language)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{file.name}: is no report.json of idia-index ({type(error).__name__}: {shown(error)})"
        ) from error


async def data(request: Request) -> Response:
    """What is held in memory and what lies on disk."""
    models = server_of(request).models
    return page(
        request, "data.html.j2", practice=models.practice, practice_bytes=models.practice_bytes()
    )


@posted
async def delete(request: Request, form: Form) -> Response:
    """Deletes a person, everybody, or the practice index."""
    desk, what = desk_of(request), form.fields.get("what", "")
    if what == "everything":
        desk.delete(*desk.items)
    elif what == "practice":
        server = server_of(request)
        job = server.jobs.add("delete", lambda _: server.models.delete_practice())
        for _try in range(200):  # so that the page shows it deleted
            if job.is_over:
                break
            await asyncio.sleep(0.05)
    else:
        desk.delete(desk.item(what))
    return go("/data")


async def guide(request: Request) -> Response:
    """The glossary, and answers to what people ask."""
    return page(request, "help.html.j2")


async def style(_: Request) -> Response:
    """The style of all pages, that of reports first."""
    text = "".join(
        files(package).joinpath("templates", name).read_text("utf-8")
        for package, name in (("idia_index.report", "style.css"), ("idia_index.serve", "pages.css"))
    )
    return Response(text, media_type="text/css")

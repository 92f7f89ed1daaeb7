"""Several people: a folder or a table, who can be tested, the run, the report."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from idia_index.errors import InputError
from idia_index.report.language import _
from idia_index.report.people import left_out
from idia_index.serve.asking import begin
from idia_index.serve.desk import Group, SaidError
from idia_index.serve.models import nearly
from idia_index.serve.photos import people_of_upload
from idia_index.serve.reply import (
    begun,
    desk_of,
    go,
    item_of,
    page,
    posted,
    running,
    server_of,
)
from idia_index.serve.uploads import Form
from idia_index.subjects.subjects import read_subjects
from idia_index.support.files import local_path


async def new(request: Request) -> Response:
    """Asks for a folder or a table."""
    return page(request, "people.html.j2")


@posted
async def create(request: Request, form: Form) -> Response:
    """Reads who is to be tested."""
    server, desk = server_of(request), desk_of(request)
    if not form.fields.get("basis"):
        raise InputError("say that there is consent or another lawful basis for everybody")
    path = form.fields.get("path", "").strip()
    if path and not server.local:
        raise InputError("send a folder: only on this machine a page may name its files")
    if path:
        place: Path | None = local_path(path)
        people = read_subjects(local_path(path))
    elif form.files:
        place, people = None, people_of_upload(form.files)
    else:
        raise SaidError(_("Choose a folder, or name a folder or table on this computer."))
    near = nearly(desk.choice, [person.name for person in people])
    group = Group(choice=desk.choice, people=people, path=place, near=near)
    begun(request, group)
    return go(group.address)


@posted
async def again(request: Request, _: Form) -> Response:
    """Reads the folder or table again, after somebody has corrected it."""
    group = item_of(request, Group)
    group.check_idle()
    if group.path is not None:
        group.people = read_subjects(group.path)
        group.near = nearly(group.choice, [person.name for person in group.people])
    return go(group.address)


async def show(request: Request) -> Response:
    """Who can be tested and who cannot; then how far the work is; then the report."""
    group = item_of(request, Group)
    if group.is_busy:
        return running(request, group)
    if group.answer is not None:
        result = group.answer.result
        return page(request, "people_answer.html.j2", group=group, result=result,
                    left_out=left_out(result))  # fmt: skip
    return page(request, "people_check.html.j2", group=group)


@posted
async def start(request: Request, _: Form) -> Response:
    """Asks the model."""
    group = item_of(request, Group)
    if not group.is_answered:
        begin(server_of(request), group, group.people)
    return go(group.address)

"""Several people: a folder or a table, who can be tested, the run, the report."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from idia_index.errors import InputError
from idia_index.pipelines.planning import Wanted, plan
from idia_index.serve.asking import begin
from idia_index.serve.desk import Group
from idia_index.serve.photos import people_of_upload
from idia_index.serve.reply import (
    desk_of,
    go,
    group_of,
    page,
    posted,
    report_page,
    running,
    server_of,
)
from idia_index.serve.uploads import Form
from idia_index.subjects.subjects import read_subjects


async def new(request: Request) -> Response:
    """Asks for a folder or a table."""
    return page(request, "people.html.j2")


@posted
async def create(request: Request, form: Form) -> Response:
    """Reads who is to be tested."""
    server, desk = server_of(request), desk_of(request)
    if not form.fields.get("basis"):
        raise InputError("say that there is consent or another lawful basis for everybody")
    if len(desk.items) >= server.limits.cases:
        raise InputError("too many people are open: delete some under My data")
    path = form.fields.get("path", "").strip()
    if path and not server.local:
        raise InputError("send a folder: only on this machine a page may name its files")
    if path:
        place = Path(path).expanduser()
        group = Group(choice=desk.choice, people=read_subjects(place), source=str(place))
    elif form.files:
        group = Group(
            choice=desk.choice,
            people=people_of_upload(form.files),
            source="the folder that was sent",
        )
    else:
        raise InputError("choose a folder, or name a folder or table on this machine")
    desk.groups[group.id] = group
    return go(f"/people/{group.id}")


async def show(request: Request) -> Response:
    """Who can be tested and who cannot; then how far the work is; then the report."""
    group = group_of(request)
    if group.is_busy:
        return running(request, group, f"/people/{group.id}", group.source)
    if group.answer is not None:
        return page(request, "people_answer.html.j2", group=group, result=group.answer.result)
    advice = plan(Wanted(subjects=max(len(group.people), 1), known=1))
    return page(request, "people_check.html.j2", group=group, advice=advice)


@posted
async def start(request: Request, _: Form) -> Response:
    """Asks the model."""
    group = group_of(request)
    begin(server_of(request), group, group.people)
    return go(f"/people/{group.id}")


@posted
async def cancel(request: Request, _: Form) -> Response:
    """Stops what is being done."""
    group = group_of(request)
    group.cancel()
    return go(f"/people/{group.id}")


async def report(request: Request) -> Response:
    """All the evidence."""
    return report_page(group_of(request).found().page)

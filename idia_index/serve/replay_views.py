"""A report on this computer that is made again and compared."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from idia_index.errors import InputError
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.replay import replay
from idia_index.serve.desk import Check, Choice
from idia_index.serve.reply import begun, go, item_of, page, posted, running, server_of
from idia_index.serve.uploads import Form
from idia_index.support.files import local_path
from idia_index.types import StageProgress


@posted
async def create(request: Request, form: Form) -> Response:
    """Begins to make a report again."""
    server = server_of(request)
    if not server.local:
        raise InputError("only on this machine a page may name its files")
    path, moved = (form.fields.get(key, "").strip() for key in ("path", "subjects"))
    if not path:
        raise InputError("name the folder of the report")
    recorded = read_report(local_path(path))
    subjects = local_path(moved) if moved else None
    if subjects is not None and not subjects.exists():
        raise InputError(f"{subjects}: no such folder or table")
    check = Check(choice=Choice(Path(recorded.report.index.path)), path=recorded.path,
                  subjects=subjects)  # fmt: skip

    def work(progress: StageProgress) -> None:
        loaded = server.models.load(check.choice, progress)
        check.result = replay(recorded, loaded.index, loaded.backend, progress, subjects)

    begun(request, check)
    check.job = server.jobs.add("replay", work)
    return go(check.address)


async def show(request: Request) -> Response:
    """How far the work is, then what holds."""
    check = item_of(request, Check)
    if check.is_busy:
        return running(request, check)
    return page(request, "replay.html.j2", check=check)

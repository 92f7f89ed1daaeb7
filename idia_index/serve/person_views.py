"""One person: name and ground, photos, the run, the answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from idia_index.errors import InputError
from idia_index.photos.crops import read_crop
from idia_index.photos.faces import Box, installed_detector
from idia_index.prompts.name_order import given_first
from idia_index.prompts.names import as_utf8, clean_name
from idia_index.report.language import _
from idia_index.report.photos import PAPER, advice, problems_of
from idia_index.serve.asking import begin
from idia_index.serve.desk import Case, Photo, SaidError
from idia_index.serve.letter import letter
from idia_index.serve.models import nearly
from idia_index.serve.photos import is_drawn, practice_people, practice_photos, take_photos
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
from idia_index.serve.wording import bases, framings
from idia_index.support.text import check_text
from idia_index.types import StageProgress


async def new(request: Request) -> Response:
    """Asks for a name and the ground of the test."""
    practice = practice_people() if desk_of(request).choice.path is None else []
    return page(request, "person.html.j2", practice=practice)


@posted
async def create(request: Request, form: Form) -> Response:
    """Begins with a person."""
    name = _name(form)
    basis = form.fields.get("basis", "")
    if basis not in bases():
        raise SaidError(_("Say why this person may be tested."))
    case = Case(choice=desk_of(request).choice, name=name, basis=basis)
    case.near = nearly(case.choice, [name]).get(name, ())
    begun(request, case)
    return go(f"{case.home}/photos")


def _name(form: Form) -> str:
    """The name under test; raises InputError for none."""
    written = as_utf8(form.fields.get("name", ""))
    check_text(written, "name")
    name = given_first(clean_name(written))
    if not name:
        raise SaidError(_("Give the name to test: the question is always about a named person."))
    return name


@posted
async def rename(request: Request, form: Form) -> Response:
    """Corrects a name that was misspelt."""
    case = item_of(request, Case)
    case.check_idle()
    name = _name(form)
    case.name, case.near = name, nearly(case.choice, [name]).get(name, ())
    return go(f"{case.home}/photos")


async def photos(request: Request) -> Response:
    """The contact sheet, and what is still to do."""
    case = item_of(request, Case)
    if case.is_busy:
        return running(request, case)
    problems = problems_of([photo.view for photo in case.photos])
    return page(
        request,
        "photos.html.j2",
        case=case,
        problems=problems,
        advice=advice(problems),
        protocol=PAPER,
        finds_faces=installed_detector() is not None,
        drawn=case.choice.path is None and is_drawn(case.name),
    )


@posted
async def add_photos(request: Request, form: Form) -> Response:
    """Takes photos that were sent."""
    case = item_of(request, Case)
    if not form.files:
        raise SaidError(_("No file was chosen. Choose photos of the person, and send them."))
    return _take(request, case, form)


@posted
async def add_drawn(request: Request, form: Form) -> Response:
    """Takes the drawn photos of a person of the practice model."""
    case = item_of(request, Case)
    form.files = practice_photos(case.name)
    return _take(request, case, form)


def _take(request: Request, case: Case, form: Form) -> Response:
    server = server_of(request)
    case.check_idle()

    def work(progress: StageProgress) -> None:
        take_photos(case, form.files, server.limits, server.models, progress)

    case.job = server.jobs.add("look", work)
    return go(f"{case.home}/photos")


@posted
async def remove_photo(request: Request, form: Form) -> Response:
    """Takes a photo back."""
    case = item_of(request, Case)
    case.check_idle()
    gone = _photo(case, form)
    case.photos.remove(gone)
    case.boxes.pop(gone.image.name, None)
    return _take(request, case, Form())


@posted
async def frame(request: Request, form: Form) -> Response:
    """Says what is cut out of all photos, or of one."""
    case = item_of(request, Case)
    case.check_idle()
    if "framing" in form.fields:
        framing = form.fields["framing"] if form.fields["framing"] in framings() else "none"
        read_crop(framing)
        case.framing, case.boxes = framing, {}
    else:
        photo = _photo(case, form)
        case.boxes[photo.image.name] = _box(form, photo)
    return _take(request, case, Form())


def _photo(case: Case, form: Form) -> Photo:
    name = form.fields.get("photo", "")
    found = next((photo for photo in case.photos if photo.image.name == name), None)
    if found is None:
        raise SaidError(_("This photo is not there any more. Open the page again."))
    return found


def _box(form: Form, photo: Photo) -> Box:
    """What somebody wants cut out of a photo, in its pixels."""
    try:
        box = Box(*(float(form.fields[side]) for side in ("left", "top", "right", "bottom")))
    except (KeyError, ValueError) as error:
        raise InputError("give left, top, right and bottom as numbers of pixels") from error
    if not (0 <= box.left < box.right and 0 <= box.top < box.bottom) or box.right > 1e5:
        raise InputError(
            f"{photo.image.name}: {box.left:g}, {box.top:g}, {box.right:g}, {box.bottom:g} is no "
            "box: left is less than right, top less than bottom"
        )
    return box


@posted
async def start(request: Request, _: Form) -> Response:
    """Asks the model."""
    case = item_of(request, Case)
    if case.photos or not case.is_answered:
        begin(server_of(request), case, [case.subject()])
    return go(case.address)


async def answer(request: Request) -> Response:
    """The answer, or how far the work is."""
    case = item_of(request, Case)
    if case.is_busy:
        return running(request, case)
    if case.answer is None:
        return go(f"{case.home}/photos")
    (found,) = case.answer.result.subjects
    return page(request, "answer.html.j2", case=case, result=case.answer.result, person=found)


async def write_letter(request: Request) -> Response:
    """A letter to the provider of the model."""
    case = item_of(request, Case)
    result = case.found().result
    erasure = request.query_params.get("for") == "erasure"
    text = letter(result, erasure=erasure)
    return page(request, "letter.html.j2", case=case, letter=text, erasure=erasure)

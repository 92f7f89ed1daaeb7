"""Files that were sent -> photos that can be judged, and why the others cannot."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from PIL import Image

from idia_index.encode.image_bytes import ImageBytes
from idia_index.errors import InputError
from idia_index.pipelines.photos import look_at_photos
from idia_index.prompts.names import folder_to_name
from idia_index.report.language import _
from idia_index.serve.desk import Case, Photo, SaidError
from idia_index.serve.models import Models
from idia_index.serve.server import Limits
from idia_index.study import StudySubject, render, subjects
from idia_index.subjects.records import MEMBER, NON_MEMBER, SkippedSubject, Subject, SubjectList
from idia_index.types import StageProgress

PRACTICE_PHOTOS = 30


def take_photos(
    case: Case, files: Sequence[ImageBytes], limits: Limits, models: Models, progress: StageProgress
) -> None:
    """Looks at a person's photos and at files that were sent, as the verb `photos` does.

    Raises:
        IdiaIndexError: the model cannot be loaded, or the crop is none.
    """
    images = [photo.image for photo in case.photos]
    skipped = list(case.skipped)
    for file in files:
        reason = _why_not(file, images, limits)
        if reason:
            skipped.append(reason)
        else:
            images.append(_unlike(file, (image.name for image in images)))
    backend = models.load(case.choice, progress).backend

    def told(done: int, total: int) -> None:
        progress("looking at the photos", done, total)

    sheet = look_at_photos([Subject(case.name, tuple(images))], case.crop, backend, told)
    (person,), (tiles,) = sheet.result.subjects, sheet.tiles
    by_name = {image.name: image for image in images}
    case.photos = [
        Photo(by_name[view.file], view, tile)
        for view, tile in zip(person.photos, tiles, strict=True)
    ]
    case.skipped = [*skipped, *(each.reason for each in person.skipped)]


def _why_not(file: ImageBytes, known: Sequence[ImageBytes], limits: Limits) -> str:
    """Why a file is not looked at; empty where it is."""
    if len(file.data) > limits.file_bytes:
        return (
            f"{file.name}: {len(file.data):,} bytes, photos of up to {limits.file_bytes:,} are "
            "taken; save it smaller"
        )
    same = next((each for each in known if each.data == file.data), None)
    if same is not None:
        return f"{file.name}: holds the same bytes as {same.name} and counts once"
    return ""


def _unlike(file: ImageBytes, names: Iterable[str]) -> ImageBytes:
    """The file under a name that is not taken: hashes are listed by name."""
    taken, name, number = set(names), file.name, 1
    while name in taken:
        number += 1
        name = f"{file.name} ({number})"
    return file if name == file.name else replace(file, name=name)


def people_of_upload(files: Sequence[ImageBytes]) -> SubjectList:
    """The people of a folder that was sent: one folder of photos each, named as they are.

    Raises:
        InputError: no file lies in a folder.
    """
    photos: dict[str, list[ImageBytes]] = {}
    loose: list[str] = []
    for file in sorted(files, key=lambda each: each.name):
        parts = PurePosixPath(file.name).parts
        if any(part.startswith((".", "__MACOSX", "@")) for part in parts):
            continue
        # The first folder is the one that was chosen, those in it are the people.
        if len(parts) < 3:
            loose.append(file.name)
        else:
            own = photos.setdefault(folder_to_name(parts[1]), [])
            own.append(_unlike(file, (each.name for each in own)))
    if not photos:
        raise SaidError(
            _(
                "The folder holds no folders of photos. Choose one with a folder for each person, "
                "such as subjects/Jane_Doe/1.jpg."
            )
        )
    skipped = tuple(SkippedSubject(name, "lies in no person's folder") for name in loose)
    people = tuple(Subject(name, tuple(images)) for name, images in photos.items())
    return SubjectList(people, skipped)


def practice_people() -> list[StudySubject]:
    """People of the practice model to try it with: members, then non-members."""
    known = [p for p in subjects() if p.membership == MEMBER and p.training_count >= 25]
    return [*known[:3], *[p for p in subjects() if p.membership == NON_MEMBER][:3]]


def is_drawn(name: str) -> bool:
    """Whether the practice model's study has photos of a name."""
    return any(person.name == name for person in subjects())


def practice_photos(name: str) -> list[ImageBytes]:
    """The drawn photos of a person of the practice model; raises InputError for anybody else."""
    for person in subjects():
        if person.name == name:
            return [
                ImageBytes(f"drawn {number + 1}.png", _png(image))
                for number, image in enumerate(render(person, PRACTICE_PHOTOS))
            ]
    raise InputError(f"{name!r} is nobody of the practice model: choose your own photos")


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()

"""Files that were sent -> photos that can be judged, and why the others cannot."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from PIL import Image

from idia_index.encode.image_bytes import ImageBytes
from idia_index.encode.images import decode_image, hash_image, open_image
from idia_index.errors import InputError
from idia_index.prompts.names import folder_to_name
from idia_index.serve.desk import Case, Photo
from idia_index.serve.jobs import Progress
from idia_index.serve.limits import Limits
from idia_index.study import render, subjects
from idia_index.subjects.records import SkippedSubject, Subject, SubjectList

SMALL = 192  # pixels of the longer side of what pages show
PRACTICE_PHOTOS = 30


def take_photos(
    case: Case, files: Sequence[ImageBytes], limits: Limits, progress: Progress
) -> None:
    """Decodes each file once, and adds to a person those that are photos."""
    for done, file in enumerate(files):
        progress("looking at the photos", done, len(files))
        try:
            photo = _photo(_unlike(file, (each.image.name for each in case.photos)), limits)
        except InputError as error:
            case.skipped.append(str(error))
            continue
        same = next((each for each in case.photos if each.sha256 == photo.sha256), None)
        if same is None:
            case.photos.append(photo)
        else:
            case.skipped.append(
                f"{file.name}: holds the same bytes as {same.image.name} and counts once"
            )
    progress("looking at the photos", len(files), len(files))


def _photo(file: ImageBytes, limits: Limits) -> Photo:
    if len(file.data) > limits.file_bytes:
        raise InputError(
            f"{file.name}: {len(file.data):,} bytes, photos of up to {limits.file_bytes:,} are "
            "taken; save it smaller"
        )
    with open_image(file) as opened:
        sha256 = hash_image(opened, file)
        opened.seek(0)
        image = decode_image(opened, file)
    return Photo(file, sha256, image.width, image.height, small_copy(image))


def small_copy(image: Image.Image) -> bytes:
    """A small JPEG of an image."""
    small = image.convert("RGB")
    small.thumbnail((SMALL, SMALL))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


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
        raise InputError(
            "the folder holds no folders of photos: choose one with a folder for each person, "
            "such as subjects/Jane_Doe/1.jpg"
        )
    skipped = tuple(SkippedSubject(name, "lies in no person's folder") for name in loose)
    people = tuple(Subject(name, tuple(images)) for name, images in photos.items())
    return SubjectList(people, skipped)


def practice_names() -> list[tuple[str, str]]:
    """People of the practice model to try it with, and what is true of them."""
    known = {"member": [], "non_member": []}  # type: dict[str, list[tuple[str, str]]]
    for person in subjects():
        if person.membership == "member" and person.training_count >= 25:
            text = f"in the training data with {person.training_count} photos"
            known["member"].append((person.name, text))
        elif person.membership == "non_member":
            known["non_member"].append((person.name, "not in the training data"))
    return [*known["member"][:3], *known["non_member"][:3]]


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

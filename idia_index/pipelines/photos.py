"""Shows what a model sees of people's photos, as a document and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

from PIL import Image

from idia_index.encode.backend import Backend
from idia_index.encode.image_embeddings import encode_images
from idia_index.encode.images import load_image
from idia_index.encode.preprocessing import USUAL
from idia_index.errors import InputError
from idia_index.photos.crops import Crop, read_crop
from idia_index.photos.look import Look, View, hash_of, look, scenes
from idia_index.pipelines.load import is_index, load_backend_at, load_model
from idia_index.pipelines.report_files import write_files
from idia_index.report.photos import (
    FORMAT,
    PersonPhotos,
    PhotosResult,
    person_photos,
    photos_html,
    photos_text,
    tile,
)
from idia_index.report.subject_result import SkippedFile, SkippedPerson
from idia_index.subjects.records import Subject, skipped_people
from idia_index.support.concurrency import in_threads
from idia_index.support.documents import to_json
from idia_index.support.text import json_text, shown_path
from idia_index.support.threads import workers
from idia_index.types import CountProgress, Float32

__all__ = ["PhotosResult", "look_at_photos", "photos_text", "read_crop", "write_sheet"]


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: the document, and a data URI for each photo of each person."""

    result: PhotosResult
    tiles: tuple[tuple[str, ...], ...]


def model_of(text: str, device: str | None = None) -> Backend:
    """The model of a SPEC, or an index's model."""
    if is_index(text):
        return load_backend_at(Path(text), device=device)
    return load_model(text, device=device)


def look_at_photos(
    subjects: Sequence[Subject], crop: Crop, backend: Backend | None, progress: CountProgress
) -> Sheet:
    """Checks the photos of each person.

    Args:
        crop: how each photo is cropped first, and the face detector.
        backend: the model; None for the preprocessing of most CLIP models.

    Raises:
        InputError: there is nobody.
    """
    view = (
        View(USUAL.fitted, USUAL.seen) if backend is None else View(backend.fit_image, backend.seen)
    )
    people: list[PersonPhotos] = []
    tiles: list[tuple[str, ...]] = []
    done, total = 0, sum(len(subject.images) for subject in subjects)
    for subject in subjects:
        files: list[PathLike[str]] = []
        looks: list[Look] = []
        skipped = [SkippedFile(str(each.path), each.reason) for each in subject.skipped]
        work = partial(_looked, view=view, crop=crop)
        for file, found in in_threads(work, subject.images, workers()):
            done += 1
            progress(done, total)
            if isinstance(found, Look):
                files.append(file)
                looks.append(found)
            else:
                skipped.append(SkippedFile(str(file), found))
        same = scenes(looks, _embedded(backend, looks))
        people.append(person_photos(subject.name, files, looks, same, skipped))
        tiles.append(tuple(tile(each.fitted) for each in looks))
    width, height = view.fit(Image.new("RGB", (64, 64))).size
    result = PhotosResult(
        format=FORMAT,
        model=None if backend is None else backend.model,
        width=width,
        height=height,
        crop=crop.text,
        detector=None if crop.detector is None else str(crop.detector),
        subjects=tuple(people),
        skipped=tuple(SkippedPerson(each.name, each.reason) for each in skipped_people(subjects)),
    )
    return Sheet(result, tuple(tiles))


def _looked(file: PathLike[str], view: View, crop: Crop) -> Look | str:
    """The description of a file's photo, or why there is none."""
    try:
        photo = load_image(file)
        part, faces = crop.with_faces(photo, file)
        # A copy of a shot may be cropped slightly differently.
        return replace(look(part, view, faces), hash=hash_of(photo))
    except InputError as error:
        told = str(error)
        name = shown_path(file)
        return told if told.startswith(name) else f"{name}: {told}"


def _embedded(backend: Backend | None, looks: Sequence[Look]) -> Float32 | None:
    if backend is None or not looks:
        return None
    return encode_images(backend, [each.fitted for each in looks])


def write_sheet(sheet: Sheet, out: Path) -> None:
    """Writes report.json and index.html, readable only by their owner."""
    result = sheet.result
    write_files(out, {
        "report.json": json_text(to_json(result), indent=1),
        "index.html": photos_html(result, sheet.tiles),
    })  # fmt: skip

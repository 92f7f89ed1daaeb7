"""What a model sees of people's photos -> the document, its advice and its page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from PIL import Image

from idia_index.errors import install_command
from idia_index.photos.look import BLURRED, SMALL, Look
from idia_index.report.html import render
from idia_index.report.page import POLICY
from idia_index.report.subject_result import SkippedFile, SkippedPerson
from idia_index.support.text import counted

FORMAT = "idia-index/photos/1"
ENOUGH, PAPER = 15, 30  # photos: where verdicts are steady, and what the paper takes


@dataclass(frozen=True)
class FaceInView:
    """A face, in the pixels of what the model sees.

    Attributes:
        left, top, right, bottom: its edges; they may lie outside.
        share: its height as a share of the height that the model sees.
        is_cut: whether a part of it lies outside.
    """

    left: float
    top: float
    right: float
    bottom: float
    share: float
    is_cut: bool


@dataclass(frozen=True)
class PhotoInView:
    """A photo as the model sees it.

    Attributes:
        file: where it is.
        width, height: of the photo, upright and cropped as asked for.
        faces: those found, the largest first; null where nothing looked for them.
        blur: share of its gradients that another blur leaves: near 1 for a blurred photo.
        is_upscaled: whether it has fewer pixels than the model takes.
        year: when it was taken, by its EXIF.
        scene: the place, from 0, of the person's first photo of the same scene.
        problems: what speaks against it, a few words each; none for a usable photo.
    """

    file: str
    width: int
    height: int
    faces: tuple[FaceInView, ...] | None
    blur: float
    is_upscaled: bool
    year: int | None
    scene: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class PersonPhotos:
    """The photos of one person.

    Attributes:
        name: the person.
        photos: those that could be read.
        usable: how many of them nothing speaks against.
        scenes: how many scenes they show.
        advice: what to do, in one line.
        skipped: files that were left out.
    """

    name: str
    photos: tuple[PhotoInView, ...]
    usable: int
    scenes: int
    advice: str
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class PhotosResult:
    """What a model sees of people's photos.

    Attributes:
        format: "idia-index/photos/1".
        model: whose resizing and cropping is shown; null for that of most CLIP models.
        width, height: of what it sees.
        crop: what was cut out of each photo before that.
        detector: what found the faces, with its version; null where none is installed.
        subjects: the people.
        skipped: who could not be looked at, and why.
    """

    format: str
    model: str | None
    width: int
    height: int
    crop: str
    detector: str | None
    subjects: tuple[PersonPhotos, ...]
    skipped: tuple[SkippedPerson, ...]


def person_photos(
    name: str,
    files: Sequence[PathLike[str]],
    looks: Sequence[Look],
    scenes: Sequence[int],
    skipped: Sequence[SkippedFile],
) -> PersonPhotos:
    """The record of one person; `looks` and `scenes` as the photos of `files`."""
    photos = []
    for place, (file, seen, scene) in enumerate(zip(files, looks, scenes, strict=True)):
        faces = seen.faces
        if faces is not None:
            faces = tuple(FaceInView(*f.box, f.share, f.is_cut) for f in faces)  # type: ignore[misc]
        photos.append(
            PhotoInView(
                file=fspath(file),
                width=seen.size[0],
                height=seen.size[1],
                faces=faces,  # type: ignore[arg-type]
                blur=round(seen.blur, 3),
                is_upscaled=seen.upscaled,
                year=seen.year,
                scene=scene,
                problems=(
                    *_problems(seen),
                    *([f"same scene as {Path(files[scene]).name}"] if scene != place else []),
                ),
            )
        )
    usable = sum(not photo.problems for photo in photos)
    return PersonPhotos(
        name, tuple(photos), usable, len(set(scenes)), _advice(photos, usable), tuple(skipped)
    )


def _problems(seen: Look) -> list[str]:
    found = []
    if seen.faces is not None:
        if not seen.faces:
            found.append("no face found")
        elif len(seen.faces) > 1:
            found.append(f"{len(seen.faces)} faces")
        if seen.faces and seen.faces[0].is_cut:
            found.append("face cut off")
        if seen.faces and seen.faces[0].share < SMALL:
            found.append(f"small face ({seen.faces[0].share:.0%} of the height)")
    if seen.blur >= BLURRED:
        found.append("blurred")
    if seen.upscaled:
        found.append("fewer pixels than the model takes")
    return found


_REMEDIES = (
    ("faces", "crop {} to the person: several people"),
    ("small face", "crop {}: small face (--crop face)"),
    ("face cut off", "crop {}: face cut off (--crop face)"),
    ("no face found", "check {}: no face was found"),
    ("same scene", "replace {}: the scene is there already"),
    ("blurred", "replace {}: blurred"),
    ("fewer pixels", "replace {}: fewer pixels than the model takes"),
)


def _advice(photos: Sequence[PhotoInView], usable: int) -> str:
    """How many photos count, against what is needed, and the remedies, those for most first."""
    if usable >= PAPER:
        said = f"{usable} usable photos, the {PAPER} of the paper or more"
    elif usable >= ENOUGH:
        said = f"{usable} usable photos: {ENOUGH} are there, {PAPER - usable} short of {PAPER}"
    else:
        said = f"{counted(usable, 'usable photo')}: {ENOUGH - usable} short of {ENOUGH}"
    remedies = []
    for words, remedy in _REMEDIES:
        count = sum(
            any(
                p.startswith(words) or (words == "faces" and p.endswith(words))
                for p in photo.problems
            )
            for photo in photos
        )
        if count:
            remedies.append((count, remedy.format(counted(count, "photo"))))
    if usable >= PAPER:
        return f"{said}."
    told = [text for _, text in sorted(remedies, key=lambda each: -each[0])]
    return f"{'; '.join([said, *told])}."


def tile(image: Image.Image) -> str:
    """A data URI of what the model sees, for a page."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def photos_html(result: PhotosResult, tiles: Sequence[Sequence[str]]) -> str:
    """The contact sheet; `tiles` holds a data URI of each photo of each person."""
    return render(
        "photos.html", title="What the model sees", policy=POLICY, result=result, tiles=tiles,
        enough=ENOUGH, paper=PAPER, small=SMALL, name_of=lambda file: Path(file).name,
    )  # fmt: skip


def photos_text(result: PhotosResult) -> str:
    """What the terminal shows."""
    lines = [
        f"{person.name}: {person.usable} of {counted(len(person.photos), 'photo')} usable, "
        f"{counted(person.scenes, 'scene')}\n  {person.advice}"
        for person in result.subjects
    ]
    lines += [f"{each.name}: {each.reason}" for each in result.skipped]
    if result.detector is None:
        lines.append(
            f"faces were not looked for: {install_command('faces')} brings what finds them"
        )
    return "\n".join(lines)

"""The document of `photos` (what a model sees of people's photos), its advice and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path

from PIL import Image

from idia_index.errors import install_command
from idia_index.photos.look import BLURRED, SMALL, FaceInView, Look
from idia_index.report.html import jpeg_uri, render
from idia_index.report.language import _, ngettext
from idia_index.report.page import POLICY
from idia_index.report.subject_result import SkippedFile, SkippedPerson
from idia_index.support.text import counted

FORMAT = "idia-index/photos/1"
ENOUGH, PAPER = 15, 30  # photos: enough for steady verdicts, and the paper's number


@dataclass(frozen=True)
class PhotoInView:
    """A photo as the model sees it.

    Attributes:
        file: its path.
        width, height: of the photo, upright and cropped as requested.
        faces: the faces found, largest first; null without a detector.
        blur: share of its gradients that survive another blur: near 1 for a blurred photo.
        is_upscaled: whether it has fewer pixels than the model's input.
        year: when it was taken, by its EXIF.
        scene: index, from 0, of the person's first photo of the same scene.
        problems: its problems, a few words each; none for a usable photo.
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
        photos: the readable photos.
        usable: number of photos without problems.
        scenes: number of scenes that they show.
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
        crop: how each photo was cropped before that.
        detector: the face detector with its version; null if none is installed.
        subjects: the people.
        skipped: people who could not be checked, and why.
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
    """The record of one person; `looks` and `scenes` correspond to `files`."""
    photos = [
        PhotoInView(
            fspath(file), *seen.size, seen.faces, round(seen.blur, 3), seen.upscaled, seen.year,
            scene, problems=(),
        )
        for file, seen, scene in zip(files, looks, scenes, strict=True)
    ]  # fmt: skip
    found = problems_of(photos)
    told = tuple(
        replace(photo, problems=tuple(problems.values()))
        for photo, problems in zip(photos, found, strict=True)
    )
    usable = sum(not problems for problems in found)
    return PersonPhotos(name, told, usable, len(set(scenes)), advice(found), tuple(skipped))


def problems_of(photos: Sequence[PhotoInView]) -> list[dict[str, str]]:
    """The problems of each of a person's photos, by kind."""
    found = []
    for place, photo in enumerate(photos):
        problems = _problems(photo)
        if photo.scene != place:
            same = _("same scene as {photo}")
            problems["scene"] = same.format(photo=Path(photos[photo.scene].file).name)
        found.append(problems)
    return found


def _problems(seen: PhotoInView) -> dict[str, str]:
    """The problems of one photo."""
    found = {}
    if seen.faces is not None:
        if not seen.faces:
            found["no face"] = _("no face found")
        elif len(seen.faces) > 1:
            found["faces"] = ngettext("{n} face", "{n} faces", len(seen.faces))
        if seen.faces and seen.faces[0].is_cut:
            found["cut"] = _("face cut off")
        if seen.faces and seen.faces[0].share < SMALL:
            share = f"{seen.faces[0].share:.0%}"
            found["small"] = _("small face ({share} of the height)").format(share=share)
    if seen.blur >= BLURRED:
        found["blurred"] = _("blurred")
    if seen.is_upscaled:
        found["pixels"] = _("fewer pixels than the model takes")
    return found


def _remedy(kind: str, number: int) -> str:
    """What to do about a number of photos with one kind of problem."""
    photos = ngettext("{n} photo", "{n} photos", number)
    return {
        "faces": _("crop {photos} to the person: several people"),
        "small": _("crop {photos}: small face (--crop face)"),
        "cut": _("crop {photos}: face cut off (--crop face)"),
        "no face": _("check {photos}: no face was found"),
        "scene": _("replace {photos}: the scene is there already"),
        "blurred": _("replace {photos}: blurred"),
        "pixels": _("replace {photos}: fewer pixels than the model takes"),
    }[kind].format(photos=photos)


_KINDS = ("faces", "small", "cut", "no face", "scene", "blurred", "pixels")


def advice(found: Sequence[Mapping[str, str]]) -> str:
    """The number of usable and needed photos, and the remedies by descending number of photos."""
    usable = sum(not problems for problems in found)
    photos = ngettext("{n} usable photo", "{n} usable photos", usable)
    if usable >= PAPER:
        return _("{photos}, the {wanted} of the paper or more.").format(photos=photos, wanted=PAPER)
    if usable >= ENOUGH:
        said = _(
            "{photos}: enough for steady verdicts ({enough}), {short} short of the paper's {wanted}"
        ).format(photos=photos, enough=ENOUGH, short=PAPER - usable, wanted=PAPER)
    else:
        said = _("{photos}: {short} short of the {wanted} from which verdicts are steady").format(
            photos=photos, short=ENOUGH - usable, wanted=ENOUGH
        )
    counts = {kind: sum(kind in problems for problems in found) for kind in _KINDS}
    worst = sorted((kind for kind in _KINDS if counts[kind]), key=lambda kind: -counts[kind])
    return f"{'; '.join([said, *(_remedy(kind, counts[kind]) for kind in worst)])}."


def tile(image: Image.Image) -> str:
    """A data URI of what the model sees, for a page."""
    return jpeg_uri(image, quality=92, subsampling=0)


def photos_html(result: PhotosResult, tiles: Sequence[Sequence[str]]) -> str:
    """The contact sheet; `tiles` has a data URI for each photo of each person."""
    return render(
        "photos.html", title="What the model sees", policy=POLICY, result=result, tiles=tiles,
        enough=ENOUGH, paper=PAPER, small=SMALL, name_of=lambda file: Path(file).name,
    )  # fmt: skip


def photos_text(result: PhotosResult) -> str:
    """The result as text for a terminal."""
    lines = [
        f"{person.name}: {person.usable} of {counted(len(person.photos), 'photo')} usable, "
        f"{counted(person.scenes, 'scene')}\n  {person.advice}"
        for person in result.subjects
    ]
    lines += [f"{each.name}: {each.reason}" for each in result.skipped]
    if result.detector is None:
        lines.append(f"faces were not looked for; to do so: {install_command('faces')}")
    return "\n".join(lines)

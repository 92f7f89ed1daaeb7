"""The records of canaries: the public manifest, and the auditor's sealed assignment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idia_index.errors import InputError
from idia_index.support.documents import from_json, read_record, to_object
from idia_index.support.seal import Key, fits, read_key

MANIFEST, KEY = "manifest.json", "key.json"
TRAIN, AUDITOR, PEOPLE = "train", "auditor", "people"
MANIFEST_FORMAT: Literal["idia-index/canaries/1"] = "idia-index/canaries/1"
LAYOUTS = ("folder", "webdataset", "img2dataset")
_MOST = 1 << 20  # bytes of a manifest

Layout = Literal["folder", "webdataset", "img2dataset"]


@dataclass(frozen=True)
class CanarySet:
    """The public part: the number of canaries and how they were made, without their names.

    Attributes:
        format: name and version of the file's format.
        people: number of canaries.
        images: training images of a canary; these numbers in turn.
        seed: seed of names, faces and captions, not of the coins.
        source: "rendered", or "photos" of people who consented.
        consent: what the people in the photos agreed to, as given; null if rendered.
        layout: layout of the training set.
        pairs: number of images with captions in the training set.
        captions: "study", or the file of caption templates.
        checked_against: the members.csv that names were checked against; null if none.
    """

    format: Literal["idia-index/canaries/1"]
    people: int
    images: tuple[int, ...]
    seed: int
    source: Literal["rendered", "photos"]
    consent: str | None
    layout: Layout
    pairs: int
    captions: str
    checked_against: str | None


@dataclass(frozen=True)
class Canary:
    """One canary, as sealed.

    Attributes:
        name: a name that occurs nowhere else.
        folder: folder of the canary's photos.
        images: number of training images, whether or not it was put in.
        included: whether the coin put the canary in.
        files: SHA-256 of every photo, by its file name.
    """

    name: str
    folder: str
    images: int
    included: bool
    files: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """The public file.

    Attributes:
        canaries: how they were made.
        seal: HMAC-SHA256 of that and of the assignment, with a salt from the key file.
    """

    canaries: CanarySet
    seal: str


@dataclass(frozen=True)
class Assignment:
    """The sealed part."""

    people: tuple[Canary, ...]


def read_canaries(folder: Path, key: Path | None = None) -> tuple[Manifest, Assignment]:
    """The manifest of a folder and the assignment, with the seal verified.

    Raises:
        InputError: a file is missing or damaged, or the seal is invalid.
    """
    place, key = folder / MANIFEST, key or folder / AUDITOR / KEY
    manifest = read_record(Manifest, place, _MOST, "a manifest of canaries",
                           "pass the folder as `idia-index canary make` wrote it")  # fmt: skip
    opened: Key = read_key(key)
    if not fits(manifest.seal, to_object(manifest.canaries), opened):
        raise InputError(
            f"{place}: the seal does not match {key}: one of the two was changed, or belongs to "
            "other canaries; audit with the original files"
        )
    try:
        return manifest, from_json(Assignment, opened.secret)
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{key}: not an assignment of canaries ({error}); use the original file"
        ) from error

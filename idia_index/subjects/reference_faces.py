"""Reads and encodes reference faces: portraits of people of known sex, to test names against.

They are a folder with `female/` and `male/` (or one of them), each with an image or a folder of
images per person; or a table with columns `path,sex`, one line per person, where `path` is an
image or a folder of images relative to the table. Names are not read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import InputError
from idia_index.subjects.paths import find_path
from idia_index.subjects.person import Person
from idia_index.subjects.photo_files import photos_below
from idia_index.subjects.records import Subject
from idia_index.subjects.subject_images import encode_subjects
from idia_index.support.remote import Place
from idia_index.support.tables import read_table
from idia_index.support.text import shown, shown_path
from idia_index.types import Float32, Int64

FEWEST = 100
"""Minimum reference faces of the subject's sex."""

FOLDERS = {"female": "f", "male": "m"}
_SEXES = {"female": "f", "f": "f", "male": "m", "m": "m"}
_COLUMNS = {"path": ("file", "image", "photo", "folder"), "sex": ("gender",)}
_TOLD = (
    "make the folders female and male, with an image or a folder of images per person, or a table "
    "with the columns path,sex"
)


@dataclass(frozen=True)
class ReferenceFaces:
    """Reference faces as found.

    Attributes:
        path: the folder or table.
        people: their images; named by position.
        sexes: "f" or "m" of each.
    """

    path: Path
    people: tuple[Subject, ...]
    sexes: tuple[str, ...]


@dataclass(frozen=True)
class FacesSummary:
    """Reference faces as stated in reports.

    Attributes:
        path: the folder or table.
        female: number of readable women.
        male: number of readable men.
        sha256: SHA-256 of the images' SHA-256s, in the order of the people.
    """

    path: str
    female: int
    male: int
    sha256: str


@dataclass(frozen=True)
class EncodedFaces:
    """Reference faces of R people.

    Attributes:
        embeddings: float32 [M, D], unit rows.
        owners: int64 [M], the person of each, ascending from 0 to R - 1.
        sexes: "f" or "m" of each person.
        summary: for reports.
    """

    embeddings: Float32
    owners: Int64
    sexes: tuple[str, ...]
    summary: FacesSummary


def read_reference_faces(path: str | os.PathLike[str]) -> ReferenceFaces:
    """Lists reference faces.

    Raises:
        InputError: there are none, or the folder or table has another layout.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"{shown_path(place)}: no such folder or table of reference faces")
    found = _of_folder(place) if place.is_dir() else _of_table(place)
    if not found:
        raise InputError(f"{shown_path(place)}: holds no reference face; {_TOLD}")
    return ReferenceFaces(
        place, tuple(person for person, _ in found), tuple(sex for _, sex in found)
    )


def _of_folder(place: Path) -> list[tuple[Subject, str]]:
    try:
        sorts = [(place / name, sex) for name, sex in FOLDERS.items() if (place / name).is_dir()]
        people = [(each, sex) for folder, sex in sorts for each in _people(folder, place)]
    except OSError as error:
        raise InputError(
            f"{shown_path(place)}: cannot be read ({error.strerror}); check the path and its "
            "permissions"
        ) from error
    if not sorts:
        raise InputError(f"{shown_path(place)}: has neither a folder female nor male; {_TOLD}")
    return people


def _people(folder: Path, place: Path) -> list[Subject]:
    """A person for each image of a folder, and for each of its folders with images."""
    found, people = photos_below(folder), dict[str, Person]()
    depth = len(folder.parts)
    for photo in found.photos:
        name = photo.parts[depth]
        people.setdefault(name, Person(name)).add(photo, shown_path(place))
    for skipped in found.skipped:
        if (
            isinstance(skipped.path, Path)
            and (parts := skipped.path.parts[depth:])
            and (person := people.get(parts[0]))
        ):
            person.skipped.append(skipped)
    return [people[name].subject(shown_path(place)) for name in sorted(people)]


def _of_table(place: Path) -> list[tuple[Subject, str]]:
    table = read_table(place, _COLUMNS)
    where = shown_path(place)
    if not {"path", "sex"} <= table.columns:
        raise InputError(f"{where}: lacks a column path or sex; {_TOLD}")
    found = []
    for row in table.rows():
        sex = _SEXES.get(row.get("sex").casefold())
        if row.problem or sex is None or not row.get("path"):
            raise InputError(
                row.problem
                or f"{row.place}: sex is {shown(row.get('sex'))}; write a path, and female or male"
            )
        found.append((_person(find_path(place.parent, row.get("path")), row.place), sex))
    return found


def _person(path: Place, where: str) -> Subject:
    person = Person(path.name)
    person.add(path, where)
    return person.subject(where)


def encode_reference_faces(
    backend: Backend,
    faces: ReferenceFaces,
    folder: Path | None,
    progress: Callable[[int, int], None],
) -> EncodedFaces:
    """Encodes reference faces that the index has not cached.

    People without a readable image, or with an earlier person's image, are left out.

    Args:
        backend: the model.
        faces: the images.
        folder: the index that caches embeddings; None: no cache.
        progress: called with images done and images in all.
    """
    cache = ImageCache(folder, backend.fingerprint, f"{backend.name} on {backend.device}")
    encoded = encode_subjects(backend, faces.people, cache, False, progress)
    seen: set[str] = set()
    kept = []
    for person in np.unique(encoded.owners).tolist():
        hashes = {encoded.sha256[i] for i in np.flatnonzero(encoded.owners == person)}
        if not hashes & seen:
            kept.append(person)
        seen |= hashes
    chosen = np.isin(encoded.owners, kept)
    sexes = tuple(faces.sexes[person] for person in kept)
    hashed = "".join(encoded.sha256[i] for i in np.flatnonzero(chosen))
    return EncodedFaces(
        encoded.embeddings[chosen],
        np.searchsorted(kept, encoded.owners[chosen]).astype(np.int64),
        sexes,
        FacesSummary(
            os.fsdecode(faces.path.resolve()),
            sexes.count("f"),
            sexes.count("m"),
            hashlib.sha256(hashed.encode("ascii")).hexdigest(),
        ),
    )


def check_enough(
    path: str | Path, sexes: Sequence[str], subjects: Sequence[tuple[str, str | None]]
) -> None:
    """Checks that there are enough reference faces of each subject's sex.

    A subject whose name does not reveal the sex needs enough of both.

    Args:
        path: the folder or table.
        sexes: "f" or "m" of each face.
        subjects: name, and sex "f", "m" or None, of each subject.

    Raises:
        InputError: there are too few.
    """
    for name, sex in subjects:
        for each, word in (("f", "female"), ("m", "male")):
            if sex in (each, None) and sexes.count(each) < FEWEST:
                raise InputError(
                    f"{shown_path(Path(path))}: {sexes.count(each)} {word} reference faces, but "
                    f"{shown(name)} needs at least {FEWEST}; add portraits, or omit "
                    "--reference-faces"
                )

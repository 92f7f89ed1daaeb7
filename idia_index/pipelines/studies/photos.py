"""Finds a study's people in folders of photos, and those without photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.errors import InputError
from idia_index.pipelines.studies.definition import Study
from idia_index.prompts.names import folder_to_name, name_key
from idia_index.subjects.subjects import Subject, make_subject
from idia_index.support.text import shown, shown_path


@dataclass(frozen=True)
class Missing:
    """A person of the study without photos.

    Attributes:
        person: the study's membership and training count.
        reason: why there are no photos.
    """

    person: Subject
    reason: str


@dataclass(frozen=True)
class Photos:
    """The content of the folders of photos.

    Attributes:
        subjects: people of the study with photos, in its order.
        missing: the others of the study, in its order.
        others: names of folders of people whom the study does not test.
        renamed: folders whose name the study corrects, and the person's.
    """

    subjects: tuple[Subject, ...]
    missing: tuple[Missing, ...]
    others: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


def find_photos(study: Study, folders: Sequence[Path]) -> Photos:
    """The study's people in folders that hold one folder of images per person, First_Last.

    Raises:
        InputError: a folder cannot be read, a person has two, or they contain nobody of the
            study.
    """
    places: dict[str, tuple[str, Path]] = {}
    renamed = []
    for folder in folders:
        for place in _people_folders(folder):
            told = folder_to_name(place.name)
            name = study.folder_names.get(name_key(told), told)
            if name != told:
                renamed.append((place.name, name))
            if (known := places.setdefault(name_key(name), (name, place)))[1] != place:
                raise InputError(
                    f"{shown_path(place)}: {shown(name)} has photos in {shown_path(known[1])} "
                    "too; merge the folders"
                )
    subjects: list[Subject] = []
    missing: list[Missing] = []
    for person in study.people:
        found = _subject(person, places.pop(name_key(person.name), None))
        if isinstance(found, Missing):
            missing.append(found)
        else:
            subjects.append(found)
    if not subjects:
        raise InputError(
            f"{', '.join(map(shown_path, folders))}: no folder with photos of anybody in this "
            f"study; the first is {study.people[0].name.replace(' ', '_')}"
        )
    others = tuple(name for name, _ in places.values())
    return Photos(tuple(subjects), tuple(missing), others, tuple(renamed))


def _people_folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise InputError(
            f"{shown_path(folder)}: cannot be read ({error.strerror}); pass a folder with one "
            "folder of images per person"
        ) from error


def _subject(person: Subject, found: tuple[str, Path] | None) -> Subject | Missing:
    """The person with photos, or why there are none."""
    if found is None:
        return Missing(person, "there is no folder of that name")
    try:
        seen = make_subject(person.name, [found[1]])
    except InputError as error:
        return Missing(person, str(error))
    return replace(person, images=seen.images, skipped=seen.skipped)

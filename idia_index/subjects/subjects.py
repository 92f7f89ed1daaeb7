"""Reads the people under test from a folder, a table or the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.lint import oddities
from idia_index.prompts.name_order import given_first
from idia_index.prompts.names import as_utf8, clean_name, name_key
from idia_index.subjects.folders import people_of_folder, people_of_url
from idia_index.subjects.one_person import check_one_person
from idia_index.subjects.person import Person
from idia_index.subjects.records import (
    MEMBER,
    NON_MEMBER,
    Skipped,
    SkippedSubject,
    Subject,
    SubjectList,
    skipped_people,
)
from idia_index.subjects.subject_table import people_of_table
from idia_index.support.remote import Place, RemotePath, files_at
from idia_index.support.text import check_text, shown, shown_path

__all__ = [
    "MEMBER",
    "NON_MEMBER",
    "Skipped",
    "SkippedSubject",
    "Subject",
    "SubjectList",
    "make_subject",
    "read_subjects",
    "skipped_people",
]

_SHOWN = 10  # maximum notes on names


def read_subjects(path: str | os.PathLike[str]) -> SubjectList:
    """Subjects of a folder with one folder of images per person, or of a table.

    The table has columns `name` and `path` (an image or a folder of images, relative to the
    table), optionally `membership` ("member", "non_member" or empty), `training_count` and
    `person_id`, and may list a person on several lines. It may name files anywhere, including
    through `..` and links: they are only read, and only as images. People who cannot be used are
    listed in the result and do not affect the others. A `RemotePath` is a folder or a table in an
    object store.

    Raises:
        InputError: nothing at `path`, or no one who can be used.
    """
    place = path if isinstance(path, RemotePath) else Path(path)
    try:
        if isinstance(place, RemotePath):
            found = people_of_table(place) if files_at(place) == [place] else people_of_url(place)
        elif not place.exists():
            raise InputError(f"{shown_path(place)}: no such folder or CSV file of subjects")
        else:
            found = people_of_folder(place) if place.is_dir() else people_of_table(place)
    except OSError as error:
        raise InputError(
            f"{shown_path(place)}: cannot be read ({error.strerror}); check the path and its "
            "permissions"
        ) from error
    people = _distinct(found, place)
    odd = list(oddities(subject.name for subject in people))
    rest = (f"{shown_path(place)}: {len(odd) - _SHOWN:,} more names like these",)
    told = tuple(f"{shown_path(place)}: {each}" for each in odd[:_SHOWN])
    people = replace(people, notes=(*people.notes, *told, *rest[: len(odd) > _SHOWN]))
    if not people.subjects:
        more = f" (and {len(people.skipped) - 1:,} more)" if len(people.skipped) > 1 else ""
        raise InputError(f"{people.skipped[0].reason}{more}")
    return people


def make_subject(
    name: str, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
) -> Subject:
    """One subject from an image, a folder of images, or a list of these.

    Raises:
        InputError: the name is empty or not printable, there is no image, or a folder appears to
            hold several people.
    """
    name = as_utf8(name)
    check_text(name, "name of the subject")
    if not clean_name(name):
        raise InputError("the name of the subject is empty: pass the name to test")
    person = Person(given_first(clean_name(name)))
    given = [images] if isinstance(images, str | os.PathLike) else list(images)
    for image in given:
        place = image if isinstance(image, RemotePath) else Path(image)
        new = person.add(place, "the command line")
        if len(new) > 1:
            check_one_person(place, new)
    return person.subject(shown_path(given[0]) if len(given) == 1 else "the command line")


def _distinct(people: SubjectList, place: Place) -> SubjectList:
    """Leaves out people whose name occurred earlier, unless a table distinguishes the two."""
    kept: list[Subject] = []
    skipped = list(people.skipped)
    first: dict[str, Subject] = {}
    for subject in people:
        known = first.setdefault(name_key(subject.name), subject)
        apart = subject.person is not None and known.name == subject.name
        if known is subject or apart:
            kept.append(subject)
            continue
        skipped.append(
            SkippedSubject(
                subject.name,
                f"{shown_path(place)}: {_where(subject)} and {_where(known)} are the same name to "
                "the model; merge their photos or rename one",
            )
        )
    return replace(people, subjects=tuple(kept), skipped=tuple(skipped))


def _where(subject: Subject) -> str:
    return f"{shown(subject.name)} ({shown_path(os.path.dirname(subject.images[0]))})"  # noqa: PTH120

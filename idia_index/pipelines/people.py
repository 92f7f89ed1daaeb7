"""Reads the people under test, with membership from captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from idia_index.errors import InputError
from idia_index.photos.crops import read_crop
from idia_index.prompts.spelling import spelling_text
from idia_index.search.index import Index
from idia_index.subjects.candidates import near_names
from idia_index.subjects.from_captions import with_members
from idia_index.subjects.records import cropped
from idia_index.subjects.subjects import Subject, SubjectList, make_subject, read_subjects
from idia_index.support.remote import as_place
from idia_index.support.text import shown_path


def read_people(
    subjects: Path, members: Path | None = None, crop: str | None = None
) -> SubjectList:
    """The people of a folder or table, with membership from a members.csv if given.

    `crop` is how their photos are cropped first, as on the command line.

    Raises:
        InputError: as `read_subjects` and `with_members`.
    """
    how = None if crop is None else read_crop(crop)
    people = with_members(read_subjects(as_place(subjects)), members)
    return people if how is None else cropped(people, how)


def make_person(name: str, images: Sequence[Path], crop: str) -> Subject:
    """One person, with photos cropped as on the command line.

    Raises:
        InputError: as `make_subject`, or an unknown crop.
    """
    for image in images:
        if len(image.parts) == 1 and not image.suffix and not image.absolute().exists():
            raise InputError(
                f"{shown_path(image)}: no such image or folder; check the path, and put a name of "
                "several words in quotes"
            )
    return replace(make_subject(name, map(as_place, images)), crop=read_crop(crop))


def spelling_warnings(index: Index, names: Sequence[str]) -> list[str]:
    """Names under test that may be misspelt: missing from the index, which has similar ones."""
    near = near_names(index, names)
    return [
        f"{spelling_text(name, found, len(index.names))}. If it is misspelt, correct it and run "
        "again; else it competes with them"
        for name, found in near.items()
        if found
    ]

"""The people of a report that is replayed: as it says they are, and as their source has them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.evaluation.settings import Settings
from idia_index.subjects.records import (
    MEMBER,
    NON_MEMBER,
    Skipped,
    Subject,
    skipped_people,
)
from idia_index.support.files import sha256_file
from idia_index.support.text import shown, shown_path

LeftOut = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class People:
    """Who is to be measured.

    Attributes:
        subjects: in the order in which they were measured.
        left_out: people who were not, and why.
    """

    subjects: list[Subject]
    left_out: LeftOut


def check_images(data: Mapping[str, Any], report: Path) -> None:
    """Raises InputError if an image that a report names is gone or is another one."""
    hashes = data["image_sha256"]
    for entry in _entries(data):
        for file in entry["image_files"]:
            path = Path(file)
            if not path.is_file():
                raise InputError(
                    f"{shown_path(path)}: is gone; put the image back to replay {report}"
                )
            if sha256_file(path) != hashes.get(file):
                raise InputError(
                    f"{shown_path(path)}: is not the image that {report} was made from"
                )


def as_recorded(data: Mapping[str, Any]) -> People:
    """The people as the report itself tells of them.

    Raises:
        KeyError, TypeError, ValueError: the report lacks a part, or has another in its place.
    """
    also = data["replay"]["also_measured"]
    subjects = [_subject(entry) for entry in data["subjects"]]
    for entry in also:  # rising places, so that each finds its own
        subjects.insert(int(entry["place"]), _subject(entry))
    elsewhere = {entry["name"] for entry in also}
    left_out = ((e["name"], e["reason"]) for e in data["left_out"] if e["name"] not in elsewhere)
    return People(subjects, tuple(left_out))


def as_at_source(data: Mapping[str, Any], settings: Settings, source: Sequence[Subject]) -> People:
    """The people of the source from which the report's were read.

    Whoever the report does not name is measured, unless the settings leave them out; so nobody
    can be kept quiet. Paths are spelled as in the report, which may have been run elsewhere.

    Raises:
        KeyError, TypeError, ValueError: the report lacks a part, or has another in its place.
    """
    known = {entry["name"]: entry for entry in _entries(data)}
    reasons = {entry["name"]: str(entry["reason"]) for entry in data["left_out"]}
    subjects, left_out = [], []
    for person in source:
        reason = settings.excludes(person)
        if person.name in known:
            subjects.append(_spelled(person, known[person.name]))
        elif _explains(told := reasons.get(person.name, ""), person):
            left_out.append((person.name, told))
        elif reason is not None:
            left_out.append((person.name, reason))
        else:
            subjects.append(person)
    left_out += [(each.name, each.reason) for each in skipped_people(source)]
    return People(subjects, tuple(left_out))


def _entries(data: Mapping[str, Any]) -> list[Any]:
    return [*data["subjects"], *data["replay"]["also_measured"]]


def _subject(entry: Mapping[str, Any]) -> Subject:
    count, membership = entry["training_count"], entry["membership"]
    if membership not in (None, MEMBER, NON_MEMBER) or not isinstance(count, int | None):
        raise ValueError(f"membership {shown(membership)}, training_count {shown(count)}")
    return Subject(
        str(entry["name"]),
        tuple(Path(file) for file in entry["image_files"]),
        membership,
        count,
        tuple(Skipped(Path(each["file"]), str(each["reason"])) for each in entry["skipped"]),
    )


def _spelled(person: Subject, entry: Mapping[str, Any]) -> Subject:
    """A person of the source, with every path as the report spells it."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for file in (*entry["image_files"], *(each["file"] for each in entry["skipped"])):
        spellings[_place(file)].append(file)

    def spell(path: Path) -> Path:
        left = spellings[_place(path)]
        return Path(left.pop(0)) if left else path

    def skip(each: Skipped) -> Skipped:
        path = spell(each.path)
        reason = each.reason.removeprefix(shown_path(each.path))
        return Skipped(path, f"{shown_path(path)}{reason}")

    return replace(
        person,
        images=tuple(spell(path) for path in person.images),
        skipped=tuple(skip(each) for each in person.skipped),
    )


def _place(path: str | Path) -> str:
    """Where a file lies, whatever the folder is called from here; links in its place stay."""
    path = Path(path)
    return os.fsdecode(Path(os.path.realpath(path.parent), path.name))


def _explains(reason: str, person: Subject) -> bool:
    """Whether some settings leave a person out for this very reason.

    The images were measured with settings of their own, which a report of other settings does
    not state.
    """
    number = reason.rpartition(" ")[2].replace(",", "")
    if not number.isascii() or not number.isdigit() or len(number) > 15:
        return False
    limit = int(number)
    any_ = Settings(sizes=(1,), min_images=1)
    return reason in (
        replace(any_, min_images=max(limit, 1)).excludes(person),
        replace(any_, max_training_count=limit).excludes(person),
    )

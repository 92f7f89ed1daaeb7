"""Reads the people of a replayed report, as recorded and as in their source."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.encode.image_bytes import ImageFile
from idia_index.errors import InputError
from idia_index.evaluation.settings import LeftOut, Measurement, not_tested
from idia_index.pipelines.recorded_report import RecordedReport, RecordedSubject
from idia_index.subjects.records import Skipped, Subject, skipped_people
from idia_index.support.files import sha256_file
from idia_index.support.text import shown_path


@dataclass(frozen=True)
class People:
    """The people to measure.

    Attributes:
        subjects: in measuring order.
        left_out: people who are not measured, and why.
    """

    subjects: list[Subject]
    left_out: tuple[LeftOut, ...]


def check_images(report: RecordedReport, path: Path) -> None:
    """Raises InputError if an image of a report is missing or has changed."""
    for entry in entries(report):
        for file in entry.image_files:
            image = Path(file)
            if not image.is_file():
                raise InputError(
                    f"{shown_path(image)}: no longer exists; restore the image to replay {path}"
                )
            if sha256_file(image) != report.image_sha256.get(file):
                raise InputError(
                    f"{shown_path(image)}: has changed since {path} was made; restore the image"
                )


def as_recorded(report: RecordedReport) -> People:
    """The people as recorded in the report."""
    also = report.replay.also_measured
    subjects = [_subject(entry) for entry in report.subjects]
    for entry in also:  # by ascending place, so that each insertion is correct
        subjects.insert(entry.place, _subject(entry))
    elsewhere = {(entry.name, entry.person_id) for entry in also}
    left_out = (o for o in report.left_out if (o.name, o.person_id) not in elsewhere)
    return People(subjects, tuple(left_out))


def as_at_source(report: RecordedReport, source: Sequence[Subject]) -> People:
    """The people in the source of the report.

    People missing from the report are measured too, unless the settings exclude them, so no one
    can be omitted silently. Paths are as in the report, which may have been run elsewhere.
    """
    known = {(entry.name, entry.person_id): entry for entry in entries(report)}
    told = {(out.name, out.person_id): out for out in report.left_out}
    subjects, left_out = [], []
    for person in source:
        who = person.name, person.person
        if who in known:
            subjects.append(_spelled(person, known[who]))
        elif (out := _left_out(report, told.get(who), person)) is not None:
            left_out.append(out)
        else:
            subjects.append(person)
    left_out += map(not_tested, skipped_people(source))
    return People(subjects, tuple(left_out))


def _left_out(report: RecordedReport, told: LeftOut | None, person: Subject) -> LeftOut | None:
    """Why a person is left out: the reason stated in the report, or its settings.

    The images were measured with other settings, which this report does not state.
    """
    if told is not None:
        measured = Measurement()
        if told.setting is not None and told.limit is not None:
            measured = replace(measured, **{told.setting: told.limit})
        if measured.excludes(person) == told:
            return told
    return report.evaluation.settings.excludes(person)


def entries(report: RecordedReport) -> tuple[RecordedSubject, ...]:
    """Everyone whose photos were measured."""
    return (*report.subjects, *report.replay.also_measured)


def _subject(entry: RecordedSubject) -> Subject:
    return Subject(
        entry.name,
        tuple(Path(file) for file in entry.image_files),
        entry.membership,
        entry.training_count,
        tuple(Skipped(Path(each.file), each.reason) for each in entry.skipped),
        entry.person_id,
    )


def _spelled(person: Subject, entry: RecordedSubject) -> Subject:
    """A person of the source, with every path as in the report."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for file in (*entry.image_files, *(each.file for each in entry.skipped)):
        spellings[_place(file)].append(file)

    def spell(path: ImageFile) -> Path:
        left = spellings[_place(path)]
        return Path(left.pop(0) if left else path)

    def skip(each: Skipped) -> Skipped:
        path = spell(each.path)
        reason = each.reason.removeprefix(shown_path(each.path))
        return Skipped(path, f"{shown_path(path)}{reason}")

    return replace(
        person,
        images=tuple(spell(path) for path in person.images),
        skipped=tuple(skip(each) for each in person.skipped),
    )


def _place(path: str | ImageFile) -> str:
    """A file's absolute path with its folder resolved, but not the file itself if a link."""
    path = Path(path)
    return os.fsdecode(Path(os.path.realpath(path.parent), path.name))

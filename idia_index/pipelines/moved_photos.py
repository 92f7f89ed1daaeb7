"""Finds photos that were moved or renamed since a report was made, by their hashes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.decide.results import SubjectVotes
from idia_index.encode.image_bytes import on_disk
from idia_index.encode.images import decode_image, open_image
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.pipelines.recorded_people import as_recorded, entries
from idia_index.pipelines.recorded_report import Recorded, RecordedReport, RecordedSubject
from idia_index.subjects.records import Skipped, Subject, SubjectList
from idia_index.subjects.subjects import read_subjects
from idia_index.support.files import sha256_file
from idia_index.support.text import counted, shown_path
from idia_index.types import StageProgress


@dataclass(frozen=True)
class Moved:
    """The present locations of a report's photos.

    Attributes:
        files: present path of each photo, by its path in the report.
        people: the people there, with the report's paths; None if the location does not tell.
        told: what the location tells about the people, for readers.
    """

    files: Mapping[Path, Path]
    people: SubjectList | None
    told: str

    @property
    def elsewhere(self) -> int:
        """The number of photos whose path differs from the report's."""
        return sum(old.absolute() != new.absolute() for old, new in self.files.items())

    def there(self, subjects: Iterable[Subject]) -> list[Subject]:
        """The people with the present paths of their photos."""
        return [
            replace(each, images=tuple(self.files.get(path, path) for path in on_disk(each.images)))
            for each in subjects
        ]

    def back(self, evidence: Evidence, subjects: Iterable[Subject]) -> Evidence:
        """What was measured, with the report's paths of the photos."""
        old = {
            each.identity: {self.files.get(path, path): path for path in on_disk(each.images)}
            for each in subjects
        }

        def named(votes: SubjectVotes) -> SubjectVotes:
            names = old[votes.subject.identity]
            images = tuple(names[path] for path in on_disk(votes.subject.images))
            return replace(votes, subject=replace(votes.subject, images=images))

        found = tuple(named(votes) for votes in evidence.audit.subjects)
        sha256 = {
            os.fsdecode(path): evidence.image_sha256[os.fsdecode(self.files.get(path, path))]
            for votes in found
            for path in on_disk(votes.subject.images)
        }
        return replace(evidence, audit=replace(evidence.audit, subjects=found), image_sha256=sha256)


def find_moved(recorded: Recorded, place: Path, progress: StageProgress) -> Moved:
    """Finds a report's photos in a folder of any structure, or in a table's rows.

    Raises:
        InputError: a photo is missing, or a table cannot be read.
    """
    report = recorded.report
    people = _people(report, place)
    hashes = _hashes(_files(place, people), progress)
    there = {sha256: file for file, sha256 in reversed(hashes.items())}
    wanted = {
        Path(file): report.image_sha256.get(file, "")
        for entry in entries(report)
        for file in entry.image_files
    }
    gone = [path for path, sha256 in wanted.items() if sha256 not in there]
    if gone:
        raise InputError(
            f"{shown_path(place)}: no file there has the bytes of {shown_path(gone[0])} "
            f"({counted(len(gone), 'photo')} of {len(wanted):,} not found by SHA-256); restore the "
            f"photos of {shown_path(recorded.path)}"
        )
    files = {path: there[sha256] for path, sha256 in wanted.items()}
    if people is None:
        return Moved(files, None, "")
    known = {(entry.name, entry.person_id): entry for entry in entries(report)}
    told = []
    for person in people:
        mine, others = _photos_of(person, known.get((person.name, person.person)), hashes, wanted)
        # Another photo may have the name of one in the report.
        named = {path if path not in wanted else Path(f"{path} (another)"): path for path in others}
        files |= named
        told.append(replace(person, images=(*mine, *named)))
    order = {(each.name, each.person): n for n, each in enumerate(as_recorded(report).subjects)}
    told.sort(key=lambda each: order.get((each.name, each.person), len(order)))
    return Moved(files, replace(people, subjects=tuple(told)), _told(report, place))


def _people(report: RecordedReport, place: Path) -> SubjectList | None:
    """The people of a table, or of a folder with a subfolder for each person of the report."""
    if report.replay.recipe is not None:
        return None
    known = {(entry.name, entry.person_id): entry for entry in entries(report)}
    try:
        found = read_subjects(place)
    except InputError:
        if not place.is_dir():
            raise
        return None
    # A folder tells only names.
    if place.is_dir() and known.keys() - {(each.name, None) for each in found}:
        return None
    return replace(found, subjects=tuple(_as_known(each, known, place) for each in found))


def _as_known(
    person: Subject, known: Mapping[tuple[str, str | None], RecordedSubject], place: Path
) -> Subject:
    """A person completed by what the report knows and the location cannot tell."""
    entry = known.get((person.name, person.person))
    if entry is None:
        return person
    left_out = tuple(Skipped(Path(each.file), each.reason) for each in entry.skipped)
    person = replace(person, skipped=left_out)
    if not place.is_dir():
        return person
    return replace(person, membership=entry.membership, training_count=entry.training_count)


def _told(report: RecordedReport, place: Path) -> str:
    name = os.fsdecode(place)
    if place.is_dir() and any(e.membership or e.training_count for e in entries(report)):
        return f"{name}: names and photos; membership and training counts are the report's own"
    return name


def _files(place: Path, people: SubjectList | None) -> list[Path]:
    """Every file of a folder, or the files named in a table."""
    if people is not None and not place.is_dir():
        return [path for person in people for path in on_disk(person.images)]
    return sorted(
        path
        for folder, _, names in os.walk(place)
        for name in names
        if (path := Path(folder, name)).is_file()
    )


def _hashes(files: Sequence[Path], progress: StageProgress) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for done, file in enumerate(files):
        progress("looking for the photos", done, len(files))
        found[file] = sha256_file(file)
    return found


def _photos_of(
    person: Subject,
    entry: RecordedSubject | None,
    hashes: Mapping[Path, str],
    wanted: Mapping[Path, str],
) -> tuple[list[Path], list[Path]]:
    """The report's paths of a person's photos that are also theirs here, and further photos."""
    before = [] if entry is None else [Path(file) for file in entry.image_files]
    known = {wanted[path] for path in before}
    here = on_disk(person.images)
    own = {hashes[path] for path in here}
    others = [path for path in here if hashes[path] not in known and _is_photo(path)]
    return [path for path in before if wanted[path] in own], others


def _is_photo(path: Path) -> bool:
    """Whether a file can be read; an unreadable one was not a photo of the report either."""
    try:
        with open_image(path) as file:
            decode_image(file, path)
    except InputError:
        return False
    return True

"""The people that a verb tests, and what to say of their names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from idia_index.audit import AuditResult
from idia_index.cli.terminal import say
from idia_index.index import Index
from idia_index.name_lint import collisions
from idia_index.subjects import Skipped, Subject, read_subjects

SKIPPED_SHOWN = 20
RIVALS_SHOWN = 20  # an index of other hands may hold a name in ten million spellings


def read_people(path: Path, index: Index) -> list[Subject]:
    """Subjects of a folder or a CSV; notes names that a candidate spells otherwise.

    Such a candidate competes with the subject's own name, and may win its votes.
    """
    people = read_subjects(path)
    found = collisions(index.names, [person.name for person in people])
    rivals = (each for each in found if not each.same_name)
    for each in islice(rivals, RIVALS_SHOWN):
        say(
            f"note: {each.subject!r} competes with the candidate {each.candidate!r}, "
            "which may be the same name; remove it from the index if so",
            err=True,
        )
    if next(rivals, None) is not None:
        say("note: and more candidates that may be a subject under another spelling", err=True)
    return people


def tell_skipped(skipped: Iterable[Skipped]) -> None:
    """Says on standard error which files were left out and why; the first of many."""
    left_out = iter(skipped)
    for each in islice(left_out, SKIPPED_SHOWN):
        say(f"note: left out: {' '.join(each.reason.split())}", err=True)
    if more := sum(1 for _ in left_out):
        say(f"note: left out: and {more:,} files more; --json lists all with reasons", err=True)


def skipped_of(result: AuditResult) -> Iterable[Skipped]:
    """The files that an audit left out, in the order of its subjects."""
    return (skipped for subject in result.subjects for skipped in subject.skipped)

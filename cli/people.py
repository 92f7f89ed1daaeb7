"""What a verb says of the files of the people it tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from idia_index.cli.terminal import say
from idia_index.subjects.records import SkippedSubject, Subject, SubjectList
from idia_index.subjects.usable import check_skipped
from idia_index.support.text import counted

SKIPPED_SHOWN = 20


def tell_skipped(reasons: Iterable[str]) -> None:
    """Says on standard error which files were left out and why; the first of many."""
    left_out = iter(reasons)
    for reason in islice(left_out, SKIPPED_SHOWN):
        say(f"note: left out: {' '.join(reason.split())}", err=True)
    if more := sum(1 for _ in left_out):
        say(
            f"note: left out: and {counted(more, 'file')} more; --json lists all with reasons",
            err=True,
        )


def tell_read(people: Sequence[Subject], strict: bool) -> None:
    """Says on standard error how the subjects were read.

    Raises:
        InputError: `strict` and somebody of them cannot be used.
    """
    if not isinstance(people, SubjectList):
        return
    for note in people.notes:
        say(f"note: {note}", err=True)
    check_skipped(people, strict)


def tell_people(skipped: Sequence[SkippedSubject]) -> None:
    """Says on standard error who was left out and why; the first of many."""
    for each in skipped[:SKIPPED_SHOWN]:
        say(f"warning: {each.name!r} was not tested: {' '.join(each.reason.split())}", err=True)
    if more := len(skipped[SKIPPED_SHOWN:]):
        say(f"warning: {counted(more, 'person', 'people')} more were not tested", err=True)

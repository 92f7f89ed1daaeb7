"""The people that a verb tests, and what to say of their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from idia_index.cli.terminal import say
from idia_index.decide.results import AuditResult
from idia_index.encode.backend import Backend
from idia_index.prompts.lint import collisions
from idia_index.search.index import Index
from idia_index.subjects.identity import alike_pairs
from idia_index.subjects.records import Skipped, SkippedSubject, Subject, SubjectList
from idia_index.subjects.usable import check_skipped
from idia_index.support.text import counted

SKIPPED_SHOWN = 20
RIVALS_SHOWN = 20  # an index of other hands may hold a name in ten million spellings


def tell_rivals(index: Index, backend: Backend, people: Sequence[Subject]) -> None:
    """Says on standard error which candidates may be a subject in another spelling.

    Such a candidate competes with the subject's own name, and may win its votes; but for one that
    the model cannot tell from it, which is the same candidate.
    """
    found = collisions(index.names, [person.name for person in people])
    rivals = ((each.subject, each.candidate) for each in found if not each.same_name)
    first = list(islice(rivals, RIVALS_SHOWN))
    alike = set(alike_pairs(backend, index.templates, first))
    for subject, candidate in first:
        if (subject, candidate) not in alike:
            say(
                f"note: {subject!r} competes with the candidate {candidate!r}, "
                "which may be the same name; remove it from the index if so",
                err=True,
            )
    if next(rivals, None) is not None:
        say("note: and more candidates that may be a subject under another spelling", err=True)


def tell_skipped(skipped: Iterable[Skipped]) -> None:
    """Says on standard error which files were left out and why; the first of many."""
    left_out = iter(skipped)
    for each in islice(left_out, SKIPPED_SHOWN):
        say(f"note: left out: {' '.join(each.reason.split())}", err=True)
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


def skipped_of(result: AuditResult) -> Iterable[Skipped]:
    """The files that an audit left out, in the order of its subjects."""
    return (skipped for subject in result.subjects for skipped in subject.skipped)

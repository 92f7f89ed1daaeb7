"""Who is tested, and what a verb says about their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from idia_index import Index, Subject
from idia_index.cli.terminal import say
from idia_index.pipelines.checks import check_people, check_threshold
from idia_index.pipelines.people import read_people, spelling_warnings
from idia_index.pipelines.report_folder import check_folder
from idia_index.support.text import counted, shown_path

SKIPPED_SHOWN = 20


def people_to_test(
    index: Index,
    sources: tuple[Path, Path | None, str],
    out: Path | None,
    *,
    tau: int,
    strict: bool,
    drawn: bool,
) -> Sequence[Subject]:
    """The people under test, after every check that needs no model.

    Says on standard error how they were read.

    Args:
        sources: where they are read from, the members.csv with more about them, and how their
            photos are cropped.
        out: the folder for a report.
        strict: whether a person who cannot be used is an error.
        drawn: whether an evaluation will draw from their images.
    """
    check_threshold(index, tau)
    people = read_people(*sources)
    tell_notes(people.notes)
    tell_spelling(index, [subject.name for subject in people])
    check_people(people, strict=strict, drawn=drawn)
    claim(out, people, sources[0])
    return people


def tell_spelling(index: Index, names: Sequence[str]) -> None:
    """Says on standard error which names may be misspelt; the first of many."""
    for warning in spelling_warnings(index, names)[:SKIPPED_SHOWN]:
        say(f"warning: {warning}", err=True)


def tell_notes(notes: Iterable[str]) -> None:
    """Says on standard error how the subjects were read."""
    for note in notes:
        say(f"note: {note}", err=True)


def tell_skipped(reasons: Iterable[str]) -> None:
    """Says on standard error which files were left out and why; the first of many."""
    left_out = iter(reasons)
    for reason in islice(left_out, SKIPPED_SHOWN):
        say(f"note: left out: {' '.join(reason.split())}", err=True)
    if more := sum(1 for _ in left_out):
        say(
            f"note: left out: {counted(more, 'more file')}; --json lists all with reasons",
            err=True,
        )


def tell_people(skipped: Sequence[tuple[str, str]]) -> None:
    """Says on standard error who, by name, was left out and why; the first of many."""
    for name, reason in skipped[:SKIPPED_SHOWN]:
        say(f"warning: {name!r} was not tested: {' '.join(reason.split())}", err=True)
    if more := len(skipped[SKIPPED_SHOWN:]):
        say(f"warning: {counted(more, 'more person', 'more people')} not tested", err=True)


def claim(out: Path | None, subjects: Sequence[Subject] = (), source: Path | None = None) -> None:
    """Notes that an earlier report in `out` will be replaced; does nothing if `out` is None.

    Raises:
        InputError: `out` holds something else; see `check_folder`.
    """
    if out is not None and check_folder(out, subjects, source):
        say(f"note: {shown_path(out)}: the earlier report there will be replaced", err=True)

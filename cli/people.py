"""The people that a verb tests, and what to say of their names."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.index import Index
from idia_index.name_lint import collisions
from idia_index.subjects import Subject, read_subjects


def read_people(path: Path, index: Index) -> list[Subject]:
    """Subjects of a folder or a CSV; notes names that a candidate spells otherwise.

    Such a candidate competes with the subject's own name, and may win its votes.
    """
    people = read_subjects(path)
    for found in collisions(index.names, [person.name for person in people]):
        if not found.same_name:
            click.echo(
                f"note: {found.subject!r} competes with the candidate {found.candidate!r}, "
                "which may be the same name; remove it from the index if so",
                err=True,
            )
    return people

"""The people under test, with what captions say of them."""

from __future__ import annotations

from pathlib import Path

from idia_index.subjects.from_captions import with_members
from idia_index.subjects.subjects import SubjectList, read_subjects


def read_people(subjects: Path, members: Path | None = None) -> SubjectList:
    """The people of a folder or a table, with what a members.csv says of them, if it is given.

    Raises:
        InputError: as `read_subjects` and `with_members`.
    """
    return with_members(read_subjects(subjects), members)

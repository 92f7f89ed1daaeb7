"""What the captions say of subjects -> subjects with their membership and training count."""

from __future__ import annotations

import os
from dataclasses import replace

from idia_index.captions.members_csv import read_members
from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.subjects.records import SubjectList
from idia_index.support.text import counted, shown, shown_path


def with_members(subjects: SubjectList, path: str | os.PathLike[str] | None) -> SubjectList:
    """The subjects with what members.csv says of their names, compared by `name_key`.

    A subject without a line there stays as it is: its membership is unknown, not non-member.
    Without a path all do.

    Raises:
        InputError: the file is no members.csv, or says otherwise than the subjects do.
    """
    if path is None:
        return subjects
    known = read_members(path)
    untold = 0
    joined = []
    for subject in subjects:
        told = known.get(name_key(subject.name))
        if told is None or told.membership is None:
            joined.append(subject)
            untold += 1
            continue
        if subject.membership not in (None, told.membership):
            raise InputError(
                f"{shown_path(path)}: says that {shown(subject.name)} is a {told.membership}, "
                f"and SUBJECTS a {subject.membership}; make them agree"
            )
        count = told.training_count if told.membership == "member" else None
        joined.append(
            replace(
                subject,
                membership=told.membership,
                training_count=subject.training_count if count is None else count,
            )
        )
    note = f"{shown_path(path)} does not tell of {counted(untold, 'subject')}, who stay as they are"
    return replace(
        subjects,
        subjects=tuple(joined),
        notes=(*subjects.notes, note) if untold else subjects.notes,
    )

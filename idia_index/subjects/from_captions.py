"""What the captions say of subjects -> subjects with their membership and training count."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from idia_index.captions.members_csv import read_members
from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.subjects.subjects import Subject
from idia_index.support.text import shown, shown_path


def with_members(subjects: Sequence[Subject], path: str | os.PathLike[str]) -> list[Subject]:
    """The subjects with what members.csv says of their names, compared by `name_key`.

    A subject without a line there stays as it is: its membership is unknown, not non-member.

    Raises:
        InputError: the file is no members.csv, or says otherwise than the subjects do.
    """
    known = read_members(path)
    joined = []
    for subject in subjects:
        counted = known.get(name_key(subject.name))
        if counted is None or counted.membership is None:
            joined.append(subject)
            continue
        if subject.membership not in (None, counted.membership):
            raise InputError(
                f"{shown_path(path)}: says that {shown(subject.name)} is a {counted.membership}, "
                f"and SUBJECTS a {subject.membership}; make them agree"
            )
        count = counted.training_count if counted.membership == "member" else None
        joined.append(
            replace(
                subject,
                membership=counted.membership,
                training_count=subject.training_count if count is None else count,
            )
        )
    return joined

"""What the captions say of subjects -> subjects with their membership and training count."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

from idia_index.captions.members_csv import read_members
from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.subjects.records import MEMBER, SubjectList
from idia_index.support.text import counted, labelled, shown, shown_path


def with_members(subjects: SubjectList, path: str | os.PathLike[str] | None) -> SubjectList:
    """The subjects with what members.csv says of their names, compared by `name_key`.

    A subject without a line there stays as it is: its membership is unknown, not non-member.
    So does one of several people of a name, of whom captions do not tell whom they mean, unless
    the line has their `person_id`, or nobody of that name is a member. Without a path all do.

    Raises:
        InputError: the file is no members.csv, or says otherwise than the subjects do.
    """
    if path is None:
        return subjects
    known = read_members(path)
    bearers = Counter(name_key(subject.name) for subject in subjects)
    untold = 0
    ambiguous: list[str] = []
    joined = []
    for subject in subjects:
        key = name_key(subject.name)
        told = known.get(subject.identity) or known.get((key, None))
        if told is None or told.membership is None:
            joined.append(subject)
            untold += 1
            continue
        if told.person is None and told.membership == MEMBER and bearers[key] > 1:
            joined.append(subject)
            ambiguous.append(subject.name)
            continue
        if subject.membership not in (None, told.membership):
            raise InputError(
                f"{shown_path(path)}: says that {shown(labelled(subject.name, subject.person))} is "
                f"a {told.membership}, "
                f"and SUBJECTS a {subject.membership}; make them agree"
            )
        count = told.training_count if told.membership == MEMBER else None
        joined.append(
            replace(
                subject,
                membership=told.membership,
                training_count=subject.training_count if count is None else count,
            )
        )
    where, notes = shown_path(path), list(subjects.notes)
    if untold:
        notes.append(f"{where} does not tell of {counted(untold, 'subject')}, who stay as they are")
    if ambiguous:
        names = ", ".join(dict.fromkeys(ambiguous))
        notes.append(
            f"{where} does not tell which of the people called {names} it means; they stay as "
            "they are: give it a column person_id, or SUBJECTS a column membership"
        )
    return replace(subjects, subjects=tuple(joined), notes=tuple(notes))

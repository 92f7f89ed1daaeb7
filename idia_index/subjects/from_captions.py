"""Adds membership and training counts from members.csv to subjects."""

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
    """The subjects with the entries of members.csv for their names, matched by `name_key`.

    A subject without an entry is unchanged: its membership is unknown, not non-member. So is one
    of several people with the same name, whom captions cannot distinguish, unless the entry has
    their `person_id` or no one of that name is a member. Without a path all are unchanged.

    Raises:
        InputError: the file is not a members.csv, or contradicts the subjects.
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
        notes.append(f"{where} does not list {counted(untold, 'subject')}, left unchanged")
    if ambiguous:
        names = ", ".join(dict.fromkeys(ambiguous))
        notes.append(
            f"{where} does not distinguish the people named {names}; left unchanged: add a column "
            "person_id to it, or a column membership to SUBJECTS"
        )
    return replace(subjects, subjects=tuple(joined), notes=tuple(notes))

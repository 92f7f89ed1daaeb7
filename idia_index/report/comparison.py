"""The document of `compare`: what changed for each person between two or three models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from idia_index.evaluation.comparison import ChangeTest, Group, GroupChange, PersonChange
from idia_index.report.comparison_text import comparison_text
from idia_index.report.policy import Judged
from idia_index.report.subject_result import SkippedPerson
from idia_index.report.tables import csv_text
from idia_index.support.documents import JsonObject, to_object
from idia_index.types import Fingerprint

COMPARISON_FORMAT: Literal["idia-index/comparison/1"] = "idia-index/comparison/1"


@dataclass(frozen=True)
class ComparedModel:
    """One of the models.

    Attributes:
        given: the index or SPEC as given.
        model: SPEC of the model.
        backend: the backend that ran it.
        device: the device that it ran on.
        fingerprint: the model's fingerprint.
    """

    given: str
    model: str
    backend: str
    device: str
    fingerprint: Fingerprint


@dataclass(frozen=True)
class AgainstReference:
    """Whether AFTER can be distinguished from a model that never saw the people to forget.

    Attributes:
        model: that model.
        compared_with: "others", known non-members, as unknown to it as those to forget; "retain"
            if there are fewer than ten of them.
        test: the change from it to AFTER for those to forget against these; null without both.
        groups: each group from that model ("before") to AFTER.
    """

    model: ComparedModel
    compared_with: Group
    test: ChangeTest | None
    groups: Mapping[Group, GroupChange]


@dataclass(frozen=True)
class Comparison:
    """The same people on two models.

    Attributes:
        format: name and version of the document's format.
        protocol: the rule.
        tau: correct prompts from which a person is associated.
        templates: number of templates.
        candidates: number of candidate names, including the subjects'.
        before, after: the models.
        retained: who is to be retained, in words.
        test: the change of the score of those to forget against those to retain; null without
            both.
        groups: each group before and after: "forget", "retain" and "others", or "all".
        reference: AFTER against a model that never saw the people to forget; null without one.
        people: each person before and after.
        skipped: people who could not be tested on every model, and why.
        policy: the rules passed, and their outcome.
        notes: what every reader of the result must know.
    """

    format: Literal["idia-index/comparison/1"]
    protocol: Literal["jair2024"]
    tau: int
    templates: int
    candidates: int
    before: ComparedModel
    after: ComparedModel
    retained: str
    test: ChangeTest | None
    groups: Mapping[Group, GroupChange]
    reference: AgainstReference | None
    people: tuple[PersonChange, ...]
    skipped: tuple[SkippedPerson, ...]
    policy: tuple[Judged, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """The document as JSON data."""
        return to_object(self)

    def to_text(self) -> str:
        """The document as text for a terminal."""
        return comparison_text(self)


def people_csv(result: Comparison) -> str:
    """One line per person, with the fields of `PersonChange` as columns."""
    columns = [each.name for each in fields(PersonChange)]
    return csv_text(columns, ([getattr(p, c) for c in columns] for p in result.people))

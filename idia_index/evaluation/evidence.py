"""Everything that one run measured, before tau, sizes or bins are chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from idia_index.decide.decision import check_tau, decide
from idia_index.decide.results import AuditVotes, SubjectVotes
from idia_index.errors import InputError
from idia_index.evaluation.baselines import BlindScores
from idia_index.evaluation.choices import Choices
from idia_index.evaluation.label_controls import LabelControls
from idia_index.evaluation.likelihood import OwnStudy
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.name_tests import ControlTests
from idia_index.evaluation.settings import LeftOut
from idia_index.support.remote import as_place
from idia_index.types import Int64


@dataclass(frozen=True)
class About:
    """What an auditor states of an audit.

    Attributes:
        title: of the report.
        date: of the audit, as it was written.
        organisation: who has the audit done.
        purpose: what for.
        lawful_basis: on what ground the people are tested.
        auditor: who did it.
    """

    title: str | None = None
    date: str | None = None
    organisation: str | None = None
    purpose: str | None = None
    lawful_basis: str | None = None
    auditor: str | None = None


_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class StudiedModel:
    """A model of a study: its label, and the training images of each member where it has one."""

    label: str
    training_count: int | None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where subjects and images were read from.

    Attributes:
        subjects: the folder or CSV of the subjects; null where it is not recorded.
        study: title of the study; null for other reports, as all that follows.
        recipe: the study's name, or its file.
        model: the model of the study.
        activation: "as-published" or "as-trained".
        dry_run: whose models saw generated portraits; null if photos were used.
        folders: the folders of photos.
        without_images: people of the study without images.
        warnings: what every report must say first.
        groups: the group of each subject by name, with a `person_id` in parentheses, where people
            are tested in groups too; null where nobody asked.
        about: what the auditor states of the audit; null where nothing was.
        calibration: the study that likelihood ratios are calibrated on; null where none is given.
    """

    subjects: str | None = None
    study: str | None = None
    recipe: str | None = None
    model: StudiedModel | None = None
    activation: Literal["as-published", "as-trained"] | None = None
    dry_run: Literal["demo", "models"] | None = None
    folders: tuple[str, ...] = ()
    without_images: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    groups: Mapping[str, str] | None = None
    about: About | None = None
    calibration: OwnStudy | None = None


@dataclass(frozen=True)
class Evidence:
    """An audit with all that an evaluation needs.

    Attributes:
        audit: the subjects and their votes.
        measured: the same, as arrays.
        controls: each true name against its control names; None where labels alone are known.
        label_controls: control names of each subject under the rule, where labels alone are known
            and they were asked for.
        choices: what was to be done, before any photo was encoded; None in results of before.
        blind: what can be told without faces; None where no members and non-members are known,
            or nobody will ask.
        left_out: people who were not measured, and why.
        seed: what controls, smaller pools and folds were drawn with.
        origin: where subjects and images were read from, for a replay.
        image_sha256: SHA-256 of each image, by its path.
    """

    audit: AuditVotes
    measured: Measured
    controls: ControlTests | None
    blind: BlindScores | None
    left_out: tuple[LeftOut, ...]
    seed: int
    origin: Origin
    image_sha256: Mapping[str, str]
    label_controls: tuple[LabelControls, ...] | None = None
    choices: Choices | None = None

    @property
    def tests(self) -> ControlTests:
        """The control names; raises InputError where labels alone are known."""
        if self.controls is None:
            raise InputError(
                f"{self.audit.index.path}: margins and p-values are not available from labels "
                "alone; take an index of the model's embeddings"
            )
        return self.controls

    def with_about(self, about: About | None) -> Evidence:
        """The same, with what the auditor states; None leaves what was stated before."""
        return self if about is None else replace(self, origin=replace(self.origin, about=about))

    def from_subjects(self, path: Path) -> Evidence:
        """The same, with the folder or CSV that the subjects were read from."""
        place = as_place(path)
        place = place.resolve() if isinstance(place, Path) else place
        origin = replace(self.origin, subjects=os.fsdecode(place))
        return replace(self, origin=origin)

    def with_tau(self, tau: int) -> Evidence:
        """The same votes decided by another tau; raises InputError if it is out of range."""
        check_tau(tau, self.measured.templates)
        subjects = tuple(
            replace(r, decision=decide(r.winners, r.name_id, tau)) for r in self.audit.subjects
        )
        return replace(self, audit=replace(self.audit, tau=tau, subjects=subjects))

    def take(self, people: Int64) -> Evidence:
        """The same of some of the subjects, places int64 [p], at least one."""
        places = people.tolist()
        return replace(
            self,
            audit=replace(self.audit, subjects=tuple(self.audit.subjects[p] for p in places)),
            measured=self.measured.take(people),
            controls=_take_controls(self.controls, people),
            blind=_take_blind(self.blind, people),
            label_controls=self.label_controls
            and tuple(self.label_controls[place] for place in places),
        )

    def truth(self, role: str) -> Int64:
        """Places of the subjects of a membership, int64."""
        return _places(self.audit.subjects, role)


def _places(results: Sequence[SubjectVotes], role: str) -> Int64:
    return np.array([i for i, r in enumerate(results) if r.subject.membership == role], np.int64)


def _take_controls(controls: ControlTests | None, people: Int64) -> ControlTests | None:
    if controls is None:
        return None
    counts = controls.counts[people]
    parts = [controls.wins[controls.offsets[p] : controls.offsets[p + 1]] for p in people]
    return replace(
        controls,
        scores=controls.scores[people],
        control_p_values=controls.control_p_values[people],
        name_fixed_p_values=controls.name_fixed_p_values[people],
        references=controls.references[people],
        reference_photos=controls.reference_photos[people],
        counts=counts,
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        wins=np.concatenate(parts),
        by=tuple(controls.by[p] for p in people),
    )


def _take_blind(blind: BlindScores | None, people: Int64) -> BlindScores | None:
    if blind is None or len(people) < 2:
        return None
    return BlindScores(
        name_only=blind.name_only[people],
        image_free=blind.image_free[people],
        image_only=blind.image_only[people],
        swapped_margin=_take_pairs(blind.swapped_margin, people),
        swapped_correct=_take_pairs(blind.swapped_correct, people),
        features=None if blind.features is None else blind.features[people],
    )


def _take_pairs(pairs: NDArray[_Number] | None, people: Int64) -> NDArray[_Number] | None:
    return None if pairs is None else pairs[np.ix_(people, people)]

"""The same people measured on two models: who is still associated, and whether a group changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.paired import PairedChange, bootstrap_interval
from idia_index.evaluation.pvalues import FDR, adjusted, passing
from idia_index.evaluation.ranks import RankTest, rank_test
from idia_index.evaluation.records.rates import Interval, Share, share
from idia_index.subjects.records import Subject
from idia_index.support.intervals import Rate
from idia_index.support.text import labelled
from idia_index.types import Int64

Status = Literal["still associated", "no longer", "newly", "never"]
Group = Literal["forget", "retain", "others", "all"]
STATUS: dict[tuple[bool, bool], Status] = {
    (True, True): "still associated",
    (True, False): "no longer",
    (False, True): "newly",
    (False, False): "never",
}
LEVEL = 0.05


@dataclass(frozen=True)
class Side:
    """What one model says of P people, as arrays in one order.

    Attributes:
        correct: correct prompts, int64 [P].
        associated: whether the rule associates face and name, bool [P].
        margins: float64 [P].
        p_values: control-name p-values, float64 [P].
        pmi: pointwise mutual information, float64 [P]; None with too few people for it.
    """

    correct: Int64
    associated: np.ndarray[tuple[int], np.dtype[np.bool_]]
    margins: Float64
    p_values: Float64
    pmi: Float64 | None

    @classmethod
    def of(cls, evidence: Evidence, people: Sequence[Subject]) -> Side:
        """These people, each of whom was measured."""
        places = {r.subject.identity: i for i, r in enumerate(evidence.audit.subjects)}
        rows = np.array([places[person.identity] for person in people], np.int64)
        decisions = [evidence.audit.subjects[row].decision for row in rows.tolist()]
        controls = evidence.tests
        return cls(
            correct=np.array([each.correct_prompts for each in decisions], np.int64),
            associated=np.array([each.inferred_member for each in decisions], np.bool_),
            margins=evidence.measured.margins[rows],
            p_values=controls.control_p_values[rows],
            pmi=controls.scores[rows] if controls.calibrated else None,
        )

    def take(self, rows: Int64) -> Side:
        """Some of the people, places int64 [p]."""
        pmi = None if self.pmi is None else self.pmi[rows]
        return Side(
            self.correct[rows], self.associated[rows], self.margins[rows], self.p_values[rows], pmi
        )


@dataclass(frozen=True)
class PersonChange:
    """One person before and after.

    Attributes:
        name: the person.
        group: "forget", "retain", "others", or "all" where nobody is to be forgotten.
        status: whether the rule associates face and name before and after.
        correct_prompts_before, correct_prompts_after: templates whose winner is the name.
        margin_before, margin_after: mean similarity of the images to the name minus that to the
            best other.
        pmi_before, pmi_after: pointwise mutual information of photos and name; null with fewer
            than 20 other people.
        p_value_before, p_value_after: rank of the name among control names.
        q_value_before, q_value_after: these adjusted within the group (Benjamini-Hochberg).
        person_id: what tells people of the same name apart; null where nothing was given.
    """

    name: str
    group: Group
    status: Status
    correct_prompts_before: int
    correct_prompts_after: int
    margin_before: float
    margin_after: float
    pmi_before: float | None
    pmi_after: float | None
    p_value_before: float
    p_value_after: float
    q_value_before: float
    q_value_after: float
    person_id: str | None = None

    @property
    def label(self) -> str:
        """The name, with what tells people of the same name apart."""
        return labelled(self.name, self.person_id)


@dataclass(frozen=True)
class GroupChange:
    """A group before and after.

    Attributes:
        people: how many they are.
        still_associated: associated before and after.
        no_longer: associated before and not after; it does not mean that anything was deleted.
        newly: not before and after.
        never: neither before nor after.
        before, after: share associated.
        tpr_drop: the share associated before minus that after; the true positive rate where the
            group's people are members.
        tpr_drop_ci95: its exact interval, which covers at least as often as it says.
        mcnemar_p: exact p-value of as many lost as gained.
        equivalence_margin: the difference that is called none.
        equivalence_ci90: exact 90% interval of the drop, for two one-sided tests at 5%.
        equivalent: whether it lies within the margin on both sides.
        margin_change: mean of the margin after minus before.
        margin_change_ci95: its interval, bootstrapped over people; null of one person.
        stand_out_before, stand_out_after: people who stand out from control names at a false
            discovery rate of 5% within the group.
    """

    people: int
    still_associated: int
    no_longer: int
    newly: int
    never: int
    before: Share
    after: Share
    tpr_drop: float
    tpr_drop_ci95: Interval
    mcnemar_p: float
    equivalence_margin: float
    equivalence_ci90: Interval
    equivalent: bool
    margin_change: float
    margin_change_ci95: Interval | None
    stand_out_before: int
    stand_out_after: int


@dataclass(frozen=True)
class ChangeTest(RankTest):
    """Whether the score of those to forget fell more than that of those to retain.

    Attributes:
        score: what is compared, "pmi" or "margin"; after minus before.
        different: whether the p-value is at most 0.05.
    """

    score: Literal["pmi", "margin"]
    different: bool


def people_changes(
    people: Sequence[Subject], groups: Sequence[Group], before: Side, after: Side
) -> tuple[PersonChange, ...]:
    """One record for each person, in the order given."""
    q_before, q_after = np.zeros(len(people)), np.zeros(len(people))
    for rows in members_of(groups).values():
        q_before[rows] = adjusted(before.p_values[rows])
        q_after[rows] = adjusted(after.p_values[rows])
    return tuple(
        PersonChange(
            name=person.name,
            group=groups[i],
            status=STATUS[bool(before.associated[i]), bool(after.associated[i])],
            correct_prompts_before=int(before.correct[i]),
            correct_prompts_after=int(after.correct[i]),
            margin_before=float(before.margins[i]),
            margin_after=float(after.margins[i]),
            pmi_before=None if before.pmi is None else float(before.pmi[i]),
            pmi_after=None if after.pmi is None else float(after.pmi[i]),
            p_value_before=float(before.p_values[i]),
            p_value_after=float(after.p_values[i]),
            q_value_before=float(q_before[i]),
            q_value_after=float(q_after[i]),
            person_id=person.person,
        )
        for i, person in enumerate(people)
    )


def members_of(groups: Sequence[Group]) -> Mapping[Group, Int64]:
    """The places of each group's people, int64; groups without people are left out."""
    order: tuple[Group, ...] = ("forget", "retain", "others", "all")
    return {
        group: np.array([i for i, each in enumerate(groups) if each == group], np.int64)
        for group in order
        if group in groups
    }


def group_change(before: Side, after: Side, margin: float, seed: int) -> GroupChange:
    """What happened to a group of at least one person.

    Args:
        before, after: the group's people.
        margin: the difference of rates that is called none.
        seed: of the bootstrap.
    """
    people = len(before.correct)
    statuses = [STATUS[pair] for pair in zip(before.associated.tolist(),
                                             after.associated.tolist(), strict=True)]  # fmt: skip
    lost, gained = statuses.count("no longer"), statuses.count("newly")
    change = PairedChange(people, lost, gained)
    drop95, drop90 = change.interval(), change.interval(0.90)
    moved = after.margins - before.margins
    return GroupChange(
        people=people,
        still_associated=statuses.count("still associated"),
        no_longer=lost,
        newly=gained,
        never=statuses.count("never"),
        before=share(Rate(int(before.associated.sum()), people)),
        after=share(Rate(int(after.associated.sum()), people)),
        tpr_drop=0.0 - change.difference,  # -0.0 is no number for a reader
        tpr_drop_ci95=(-drop95[1], -drop95[0]),
        mcnemar_p=change.p_value,
        equivalence_margin=margin,
        equivalence_ci90=(-drop90[1], -drop90[0]),
        equivalent=change.equivalent(margin),
        margin_change=float(moved.mean()),
        margin_change_ci95=bootstrap_interval(moved, seed) if people > 1 else None,
        stand_out_before=int(passing(adjusted(before.p_values), FDR).sum()),
        stand_out_after=int(passing(adjusted(after.p_values), FDR).sum()),
    )


def change_test(
    before: Side, after: Side, rows: Mapping[Group, Int64], against: Group
) -> ChangeTest | None:
    """Mann-Whitney's test of the change of the score, forget against others; None without both.

    Two trainings of the same data change everybody's score somewhat, so that a test of the people
    to forget alone finds that they changed. If they were forgotten by chance alone, their changes
    would be exchangeable with those of the people to retain.
    """
    if "forget" not in rows or against not in rows:
        return None
    score: Literal["pmi", "margin"] = "margin"
    moved = after.margins - before.margins
    if before.pmi is not None and after.pmi is not None:
        score, moved = "pmi", after.pmi - before.pmi
    found = rank_test(moved[rows["forget"]], moved[rows[against]])
    return ChangeTest(**vars(found), score=score, different=found.p_value <= LEVEL)

"""How true names compare with control names, and who stands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from idia_index.evaluation.records.rates import Share
from idia_index.subjects.reference_faces import FacesSummary
from idia_index.support.documents import named

PValueOf = Literal["control names", "name fixed"]


@dataclass(frozen=True)
class NameTest:
    """One subject's true name against its control names.

    Attributes:
        p_value: the larger of the two p-values below.
        p_value_of: which of them it is.
        control_p_value: rank of the true name among the control names, for the subject's photos.
        name_fixed_p_value: rank of the subject's photos among other people's, for the true name;
            null with fewer than 20 comparable people.
        references: how many those are.
        reference_photos: photos of each of them that were compared, and of the subject at a time.
        pmi: pointwise mutual information of photos and true name; null with fewer than 20 others.
        q_value: `control_p_value` adjusted for the number of subjects (Benjamini-Hochberg).
        e_value: evidence of `control_p_value` with mean at most one for a name that does not stand
            out, which multiplies and averages however people depend on each other.
        controls: number of control names.
        smallest_p: the smallest p-value that so many allow.
        controls_matched_on: what the control names share with the true name.
        rule_null: share of the control names that the rule would associate with the images.
        margin: mean similarity of the images to the true name minus that to the best other.
    """

    p_value: float
    p_value_of: PValueOf
    control_p_value: float
    name_fixed_p_value: float | None
    references: int
    reference_photos: int
    pmi: float | None
    q_value: float
    e_value: float
    controls: int
    smallest_p: float
    controls_matched_on: tuple[str, ...]
    rule_null: float | None
    margin: float


@dataclass(frozen=True)
class ControlRange:
    """Fewest and most control names of a subject."""

    fewest: int
    most: int


@dataclass(frozen=True)
class RuleNull(Share):
    """The rule on control names: pairs of a subject's images and a control name.

    Attributes:
        tau: the tau of the rule.
    """

    tau: int


@dataclass(frozen=True)
class SmallPValues:
    """How many p-values of known non-members are small, against how many should be.

    Attributes:
        non_members: how many there are.
        expected: how many of their p-values should be at most 0.05.
        excess_p_value: probability of at least as many if no name stands out.
        at_most_5_percent: how many p-values are at most 0.05.
    """

    non_members: int
    expected: float
    excess_p_value: float
    at_most_5_percent: int = named("at_most_0.05")


@dataclass(frozen=True)
class PValueSummary:
    """P-values of all subjects: the method, what it assumes, and who stands out.

    Attributes:
        method: how they are computed.
        score: what is compared.
        calibrated: whether other people's photos were enough to score names by PMI.
        reference_faces: the portraits whose photos these are; null: other subjects serve.
        logit_scale: what cosine similarities were multiplied by.
        logit_scale_assumed: whether the backend does not say, so that CLIP's usual one was taken.
        assumption: what must hold for them to be valid.
        controls: fewest and most control names of a subject.
        matched_on: number of subjects by what their control names were matched on.
        fdr: false discovery rate.
        discoveries: subjects that stand out at that rate.
        discoveries_any_dependence: subjects that stand out at that rate however they depend on
            each other (e-BH).
        discoveries_members: known members among the discoveries.
        discoveries_non_members: known non-members among them.
        rule_null: how often the rule associates a control name with the same images.
        non_members_small: the check of the assumption; null without known non-members.
    """

    method: str
    score: str
    calibrated: bool
    reference_faces: FacesSummary | None
    logit_scale: float
    logit_scale_assumed: bool
    assumption: str
    controls: ControlRange
    matched_on: Mapping[str, int]
    fdr: float
    discoveries: int
    discoveries_any_dependence: int
    discoveries_members: int
    discoveries_non_members: int
    rule_null: RuleNull
    non_members_small: SmallPValues | None

"""What an evaluation states: one record for each statistic. To add one, add a field here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from idia_index.subjects.reference_faces import FacesSummary
from idia_index.support.documents import named
from idia_index.support.intervals import Rate

Interval = tuple[float, float]
Floats = tuple[float, ...]
Membership = Literal["member", "non_member"]
PValueOf = Literal["control names", "name fixed"]


@dataclass(frozen=True)
class Share:
    """A share with its interval.

    Attributes:
        hits: how many.
        total: of how many.
        rate: hits / total; null of nobody.
        ci95: its 95% confidence interval; null of nobody.
    """

    hits: int
    total: int
    rate: float | None
    ci95: Interval | None


def share(rate: Rate) -> Share:
    """A rate of people as a record."""
    return Share(rate.hits, rate.total, rate.value, rate.ci95)


@dataclass(frozen=True)
class TrainingCountRate:
    """Members with one training count.

    Attributes:
        training_count: their number of training images; null where it is not known.
        people: how many they are.
        inferred_members: how many of them were inferred to be members.
        tpr: true positive rate among them.
        tpr_ci95: its 95% confidence interval (Clopper-Pearson).
    """

    training_count: int | None
    people: int
    inferred_members: int
    tpr: float | None
    tpr_ci95: Interval | None


@dataclass(frozen=True)
class Metrics:
    """The confusion matrix of the subjects whose membership is known, and its rates.

    Attributes:
        tp: members inferred to be members.
        fn: members not inferred to be.
        fp: non-members inferred to be members.
        tn: non-members not inferred to be.
        tpr: true positive rate; null without members.
        tpr_ci95: its 95% confidence interval (Clopper-Pearson).
        fpr: false positive rate; null without non-members.
        fpr_ci95: its 95% confidence interval (Clopper-Pearson).
        by_training_count: the members by training count, ascending.
    """

    tp: int
    fn: int
    fp: int
    tn: int
    tpr: float | None
    tpr_ci95: Interval | None
    fpr: float | None
    fpr_ci95: Interval | None
    by_training_count: tuple[TrainingCountRate, ...]

    @property
    def members(self) -> Share:
        """Members inferred to be members, of all members."""
        return Share(self.tp, self.tp + self.fn, self.tpr, self.tpr_ci95)

    @property
    def non_members(self) -> Share:
        """Non-members inferred to be members, of all non-members."""
        return Share(self.fp, self.fp + self.tn, self.fpr, self.fpr_ci95)


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
    controls: int
    smallest_p: float
    controls_matched_on: tuple[str, ...]
    rule_null: float | None
    margin: float


@dataclass(frozen=True)
class Firmness:
    """How far one verdict depends on tau, images, templates and candidates.

    Attributes:
        holds_up_to_tau: the largest tau for which the subject is inferred to be a member.
        inferred_share_by_images: share of draws inferred to be a member, by number of images.
        firm_from_images: number of images from which 95% of draws give the verdict of all images.
        inferred_share_by_templates: chance of being inferred a member, by number of templates.
        correct_prompts_by_pool: correct prompts among all candidates and in each smaller pool.
        holds_in_every_pool: whether the verdict is the same in all of them.
    """

    holds_up_to_tau: int | None
    inferred_share_by_images: Floats
    firm_from_images: int | None
    inferred_share_by_templates: Floats
    correct_prompts_by_pool: tuple[int, ...]
    holds_in_every_pool: bool


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
        discoveries_members: known members among them.
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
    discoveries_members: int
    discoveries_non_members: int
    rule_null: RuleNull
    non_members_small: SmallPValues | None


@dataclass(frozen=True)
class PeopleCounts:
    """How many subjects are evaluated, and what is known of them."""

    evaluated: int
    members: int
    non_members: int
    not_known: int


@dataclass(frozen=True)
class RateCurve:
    """A rate by number of attack images.

    Attributes:
        people: of how many people.
        mean: mean over draws.
        sd: standard deviation over draws.
        ci95_low, ci95_high: 95% confidence interval, bootstrapped over people.
    """

    people: int
    mean: Floats
    sd: Floats
    ci95_low: Floats
    ci95_high: Floats


@dataclass(frozen=True)
class Curves:
    """Rates by number of attack images; each null where nobody counts for it.

    Attributes:
        sizes: numbers of attack images, ascending.
        draws: draws of each.
    """

    sizes: tuple[int, ...]
    draws: int
    tpr: RateCurve | None
    fnr: RateCurve | None
    fpr: RateCurve | None
    tnr: RateCurve | None
    accuracy: RateCurve | None


@dataclass(frozen=True)
class BinRates:
    """Members within a range of training counts.

    Attributes:
        label: the range, as tables show it.
        low: the least training count in it.
        high: the first above it; null: no end.
        tpr: the true positive rate by number of attack images.
    """

    label: str
    low: int
    high: int | None
    tpr: RateCurve


@dataclass(frozen=True)
class TauByImages:
    """Rates [tau][number of images], means over draws; null where nobody counts for one."""

    tpr: tuple[Floats, ...] | None
    fpr: tuple[Floats, ...] | None


@dataclass(frozen=True)
class ByTemplates:
    """Rates with fewer templates.

    Attributes:
        counts: numbers of templates.
        tpr, fpr: the rate with each; null where nobody counts for it.
    """

    counts: tuple[int, ...]
    tpr: Floats | None
    fpr: Floats | None


@dataclass(frozen=True)
class ByPools:
    """Rates with fewer candidates.

    Attributes:
        sizes: numbers of candidates.
        unknown: share of predictions that the search did not reach.
        tpr, fpr: the rate with each; null where nobody counts for it.
    """

    sizes: tuple[int, ...]
    unknown: Floats
    tpr: Floats | None
    fpr: Floats | None


@dataclass(frozen=True)
class Sensitivity:
    """How far rates depend on tau, images, templates and candidates.

    Attributes:
        taus: all tau.
        sizes: numbers of attack images.
    """

    taus: tuple[int, ...]
    sizes: tuple[int, ...]
    tau_by_images: TauByImages
    templates: ByTemplates
    pools: ByPools


@dataclass(frozen=True)
class LowFpr:
    """TPR where the FPR is at most a rate, if there are non-members enough for such a claim.

    Attributes:
        fpr: the rate.
        estimable: whether there are.
        non_members: how many there are.
        non_members_needed: how many it takes.
        tpr: at the lowest threshold whose observed FPR is at most the rate.
        tpr_ci95: its 95% confidence interval, which knows that the threshold is estimated.
        tpr_false_positives: non-members at that threshold.
        assured_tpr: at the lowest threshold whose one-sided 95% bound of the FPR is at most that.
        assured_tpr_ci95: its 95% confidence interval.
        assured_tpr_false_positives: non-members at that threshold.
    """

    fpr: float
    estimable: bool
    non_members: int
    non_members_needed: int
    tpr: float | None = None
    tpr_ci95: Interval | None = None
    tpr_false_positives: int | None = None
    assured_tpr: float | None = None
    assured_tpr_ci95: Interval | None = None
    assured_tpr_false_positives: int | None = None


@dataclass(frozen=True)
class ScoreRoc:
    """The ROC curve of a score.

    Attributes:
        auc: area under the curve, ties counted half.
        auc_ci95: its 95% confidence interval (Newcombe's method 5).
        fpr, tpr: the curve, from 0 to 1.
        thresholds: the scores at its points; null where nobody is positive.
        at_low_fpr: TPR at low FPR.
    """

    auc: float
    auc_ci95: Interval
    fpr: Floats
    tpr: Floats
    thresholds: tuple[float | None, ...]
    at_low_fpr: tuple[LowFpr, ...]


@dataclass(frozen=True)
class Rocs:
    """The attack's scores; PMI is null with fewer than 20 other people."""

    correct_prompts: ScoreRoc
    margin: ScoreRoc
    pmi: ScoreRoc | None


@dataclass(frozen=True)
class BaselineRow:
    """A blind baseline against the attack.

    Attributes:
        baseline: its key.
        title: its name in words.
        what: its name, and what it looks at.
        auc: with the better sign where it has no direction of its own.
        auc_ci99: its 99% confidence interval (Newcombe's method 5).
        share_of_advantage: its advantage over chance as a share of the attack's.
        fires: whether it is surely above chance and near the attack.
    """

    baseline: str
    title: str
    what: str
    auc: float
    auc_ci99: Interval
    share_of_advantage: float | None
    fires: bool


@dataclass(frozen=True)
class RuleShare(Share):
    """How often the rule associates a name with images of somebody else.

    Attributes:
        what: which names and images.
    """

    what: str


@dataclass(frozen=True)
class NameSwap(RuleShare):
    """The same for every pair of a non-member's images and another subject's name.

    Attributes:
        non_members_with_any: non-members whose images are associated with any of the names.
    """

    non_members_with_any: int


@dataclass(frozen=True)
class RuleWithoutFaces:
    """The plain rule on the wrong faces."""

    name_swap: NameSwap
    shuffled_members: RuleShare
    shuffled_non_members: RuleShare

    def rows(self) -> tuple[RuleShare, ...]:
        """All of them, as tables show them."""
        return self.name_swap, self.shuffled_members, self.shuffled_non_members


@dataclass(frozen=True)
class Baselines:
    """What can be told without matching a face to its name.

    Attributes:
        attack_auc: the better AUC of the attack.
        gate: whether a baseline fires, so that rates say nothing of faces.
        near: share of the attack's advantage from which a baseline comes near it.
        fewest: members, and non-members, that it takes.
        gate_confidence: confidence at which a baseline must be above chance.
        shifts: derangements that shuffled images are the mean of.
        rows: the baselines.
        rule: the plain rule on the wrong faces; null where it was not tried.
        omitted: why it was not.
    """

    attack_auc: float
    gate: bool
    near: float
    fewest: int
    gate_confidence: float
    shifts: int
    rows: tuple[BaselineRow, ...]
    rule: RuleWithoutFaces | None
    omitted: str | None

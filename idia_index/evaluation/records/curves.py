"""Rates by number of attack images, and by threshold."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.records.rates import Floats, Interval


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
    """The attack's scores; PMI is null with fewer than 20 other people.

    Margin and PMI are null where labels alone are known.
    """

    correct_prompts: ScoreRoc
    margin: ScoreRoc | None
    pmi: ScoreRoc | None

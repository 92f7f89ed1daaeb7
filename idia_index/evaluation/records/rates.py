"""Shares of people, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from idia_index.support.intervals import Rate

Interval = tuple[float, float]
Floats = tuple[float, ...]
Membership = Literal["member", "non_member"]


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
class PeopleCounts:
    """How many subjects are evaluated, and what is known of them."""

    evaluated: int
    members: int
    non_members: int
    not_known: int

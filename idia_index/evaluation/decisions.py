"""Decisions against known truth: the confusion matrix and its rates, each with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from idia_index.decide.results import SubjectVotes
from idia_index.evaluation.records.rates import Metrics, TrainingCountRate
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.support.intervals import Rate


def share_inferred(results: Iterable[SubjectVotes]) -> Rate:
    """How many of some subjects are inferred to be members."""
    verdicts = [result.decision.inferred_member for result in results]
    return Rate(sum(verdicts), len(verdicts))


def evaluate_decisions(results: Sequence[SubjectVotes]) -> Metrics | None:
    """Rates over the subjects whose membership is known; None where it is of none of them."""
    members = [result for result in results if result.subject.membership == MEMBER]
    non_members = [result for result in results if result.subject.membership == NON_MEMBER]
    if not members and not non_members:
        return None
    tpr, fpr = share_inferred(members), share_inferred(non_members)
    counts = {result.subject.training_count for result in members}
    return Metrics(
        tp=tpr.hits,
        fn=tpr.total - tpr.hits,
        fp=fpr.hits,
        tn=fpr.total - fpr.hits,
        tpr=tpr.value,
        tpr_ci95=tpr.ci95,
        fpr=fpr.value,
        fpr_ci95=fpr.ci95,
        by_training_count=tuple(
            _of_count(members, count)
            for count in sorted(counts, key=lambda count: (count is None, count))
        ),
    )


def _of_count(members: Iterable[SubjectVotes], count: int | None) -> TrainingCountRate:
    rate = share_inferred(r for r in members if r.subject.training_count == count)
    return TrainingCountRate(count, rate.total, rate.hits, rate.value, rate.ci95)

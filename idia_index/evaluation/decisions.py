"""Decisions against known truth: the confusion table and its rates, each with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from idia_index.decide.results import SubjectResult
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.support.intervals import Rate


@dataclass(frozen=True)
class CountRow:
    """Members with one training count: how many of them were inferred to be members."""

    training_count: int | None
    inferred: Rate


@dataclass(frozen=True)
class Metrics:
    """The confusion table of the subjects whose membership is known.

    Attributes:
        true_positives: members inferred to be members, of all members.
        false_positives: non-members inferred to be members, of all non-members.
        by_training_count: the members by training count, rising.
    """

    true_positives: Rate
    false_positives: Rate
    by_training_count: tuple[CountRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The metrics of the report's contract; a rate of nobody is None."""
        tpr, fpr = self.true_positives, self.false_positives
        return {
            "tp": tpr.hits,
            "fn": tpr.total - tpr.hits,
            "fp": fpr.hits,
            "tn": fpr.total - fpr.hits,
            "tpr": tpr.value,
            "tpr_ci95": _pair(tpr),
            "fpr": fpr.value,
            "fpr_ci95": _pair(fpr),
            "by_training_count": [
                {
                    "training_count": row.training_count,
                    "people": row.inferred.total,
                    "inferred_members": row.inferred.hits,
                    "tpr": row.inferred.value,
                    "tpr_ci95": _pair(row.inferred),
                }
                for row in self.by_training_count
            ],
        }


def _pair(rate: Rate) -> list[float] | None:
    return list(rate.ci95) if rate.ci95 is not None else None


def share_inferred(results: Iterable[SubjectResult]) -> Rate:
    """How many of some subjects are inferred to be members."""
    verdicts = [result.decision.inferred_member for result in results]
    return Rate(sum(verdicts), len(verdicts))


def evaluate_decisions(results: Sequence[SubjectResult]) -> Metrics | None:
    """Rates over the subjects whose membership is known; None where it is of none of them."""
    members = [result for result in results if result.subject.membership == MEMBER]
    non_members = [result for result in results if result.subject.membership == NON_MEMBER]
    if not members and not non_members:
        return None
    counts = {result.subject.training_count for result in members}
    rows = tuple(
        CountRow(count, share_inferred(r for r in members if r.subject.training_count == count))
        for count in sorted(counts, key=lambda count: (count is None, count))
    )
    return Metrics(share_inferred(members), share_inferred(non_members), rows)

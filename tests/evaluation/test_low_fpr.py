"""TPR at a low FPR: only with enough people, and with an interval that covers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from idia_index.evaluation.low_fpr import tpr_at_fpr, tpr_interval


def test_only_where_there_are_people_for_it() -> None:
    random = np.random.default_rng(5)
    members, others = random.normal(2, 1, 100), random.normal(0, 1, 298)
    short = tpr_at_fpr(members, others, 0.01)
    assert not short.estimable and short.non_members_needed == 299 and short.tpr is None
    others = np.append(others, -1.0)
    found = tpr_at_fpr(members, others, 0.01)
    worst = np.sort(others)[::-1]
    assert found.tpr == (members > worst[2]).mean()
    assert found.assured_tpr == (members > worst[0]).mean()
    assert found.assured_tpr_false_positives == 0
    assert found.tpr_ci95 is not None
    low, high = found.tpr_ci95
    assert low <= found.tpr <= high


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(144, 308), (540, 400)])
@pytest.mark.parametrize(
    ("known", "unknown"),
    [
        (stats.norm(2.5), stats.norm()),
        (stats.t(3, loc=5), stats.t(3)),  # heavy tails: the threshold hardly known
        (stats.binom(21, 0.3), stats.binom(21, 0.03)),  # correct prompts: ties everywhere
    ],
)
def test_it_covers_though_the_threshold_is_estimated(
    sizes: tuple[int, int], known: Any, unknown: Any
) -> None:
    random = np.random.default_rng(8)
    # The lowest threshold whose FPR is at most 1 %; scores of prompts are integers.
    if hasattr(unknown.dist, "pmf"):
        threshold = next(k for k in range(22) if unknown.sf(k - 1) <= 0.01) - 1
    else:
        threshold = unknown.isf(0.01)
    truth, trials = known.sf(threshold), 60
    covered = 0
    for _ in range(trials):
        high = known.rvs(sizes[0], random_state=random).astype(np.float64)
        low = unknown.rvs(sizes[1], random_state=random).astype(np.float64)
        bounds = tpr_interval(high, low, 0.01)
        covered += bounds[0] <= truth <= bounds[1]
    # 93 % would be reached by an interval of 93 % in all but one of a thousand such runs.
    assert covered >= stats.binom.ppf(0.001, trials, 0.93)

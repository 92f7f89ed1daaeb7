"""How far verdicts depend on tau, templates, images and the pool, from the one search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.protocol import Drawn, full_correct
from idia_index.support.intervals import hypergeometric_at_least
from idia_index.types import Int64

Bool = NDArray[np.bool_]
SURE = 0.95


def sensitivity(evidence: Evidence, drawn: Drawn, members: Bool, others: Bool) -> dict[str, Any]:
    """The sensitivity of rates (where the truth is known) and of each subject's verdict.

    Args:
        evidence: P subjects.
        drawn: their correct prompts over draws.
        members, others: bool [P].
    """
    tau, templates = evidence.audit.tau, evidence.measured.templates
    correct = np.array([r.decision.correct_prompts for r in evidence.audit.subjects], np.int64)
    pools = _pool_correct(evidence, correct)
    counts = sorted({1, *range(3, templates, 3), templates})
    chance = _template_chances(correct, tau, templates, counts)
    groups = [(key, who) for key, who in (("tpr", members), ("fpr", others)) if who.any()]
    return {
        "taus": list(range(1, templates + 1)),
        "sizes": list(drawn.sizes),
        "tau_by_images": {key: _tau_by_images(drawn, who, templates) for key, who in groups},
        "templates": {
            "counts": counts,
            **{key: _mean(chance[:, who]) for key, who in groups},
        },
        "pools": {
            "sizes": [len(evidence.audit.index), *evidence.measured.pool_sizes.tolist()],
            "unknown": [0.0, *evidence.measured.pool_unknown.tolist()],
            **{key: _mean((pools >= tau)[:, who]) for key, who in groups},
        },
        "subjects": [
            _subject(evidence, person, drawn, chance, pools)
            for person in range(len(evidence.measured))
        ],
    }


def _mean(values: NDArray[np.generic]) -> list[float]:
    return [round(float(value), 6) for value in np.mean(values, axis=1)]  # type: ignore[arg-type]


def _tau_by_images(drawn: Drawn, who: Bool, templates: int) -> list[list[float]]:
    """Rates [T][S], mean over draws, for each tau and number of images."""
    chosen = drawn.correct[:, :, who]
    rows = []
    for tau in range(1, templates + 1):
        rates = (chosen >= tau).mean(axis=(1, 2))
        rows.append([round(float(rate), 6) for rate in rates])
    return rows


def _pool_correct(evidence: Evidence, correct: Int64) -> Int64:
    """Correct prompts int64 [1 + L, P] among all candidates and in each smaller pool."""
    measured = evidence.measured
    smaller = [full_correct(measured, table) for table in measured.pool_predictions]
    return np.stack([correct, *smaller])


def _template_chances(
    correct: Int64, tau: int, templates: int, counts: list[int]
) -> NDArray[np.float64]:
    """P(inferred a member) with fewer templates, drawn of all; float64 [C, P]."""
    table = np.array(
        [
            [hypergeometric_at_least(tau, count, c, templates) for c in range(templates + 1)]
            for count in counts
        ]
    )
    return table[:, correct]


def _subject(
    evidence: Evidence, person: int, drawn: Drawn, chance: NDArray[np.float64], pools: Int64
) -> dict[str, Any]:
    """How firm one verdict is."""
    tau = evidence.audit.tau
    correct = int(pools[0, person])
    inferred = correct >= tau
    share = drawn.positive(tau)[:, person]
    agrees = share if inferred else 1 - share
    # From which number of images on draws agree with the verdict of all images.
    firm = np.flatnonzero(np.logical_and.accumulate(agrees[::-1] >= SURE)[::-1])
    return {
        "holds_up_to_tau": correct if inferred else None,
        "inferred_share_by_images": [round(float(value), 4) for value in share],
        "firm_from_images": drawn.sizes[int(firm[0])] if len(firm) else None,
        "inferred_share_by_templates": [round(float(value), 4) for value in chance[:, person]],
        "correct_prompts_by_pool": pools[:, person].tolist(),
        "holds_in_every_pool": bool(((pools[:, person] >= tau) == inferred).all()),
    }

"""How far verdicts depend on tau, templates, images and the pool, from the one search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.protocol import Drawn, full_correct
from idia_index.evaluation.records.sensitivity import (
    ByPools,
    ByTemplates,
    Firmness,
    Sensitivity,
    TauByImages,
)
from idia_index.support.intervals import hypergeometric_at_least
from idia_index.types import Int64

Bool = NDArray[np.bool_]
SURE = 0.95


def rate_sensitivity(evidence: Evidence, drawn: Drawn, members: Bool, others: Bool) -> Sensitivity:
    """How far rates depend on what was chosen, where the truth is known.

    Args:
        evidence: P subjects.
        drawn: their correct prompts over draws.
        members, others: bool [P].
    """
    measured, templates = evidence.measured, evidence.measured.templates
    counts = template_counts(templates)
    chance, inferred = _template_chances(evidence), _pool_correct(evidence) >= evidence.audit.tau
    return Sensitivity(
        taus=tuple(range(1, templates + 1)),
        sizes=drawn.sizes,
        tau_by_images=TauByImages(
            _tau_by_images(drawn, members, templates), _tau_by_images(drawn, others, templates)
        ),
        templates=ByTemplates(counts, _mean(chance, members), _mean(chance, others)),
        pools=ByPools(
            sizes=(len(evidence.audit.index), *measured.pool_sizes.tolist()),
            unknown=(0.0, *measured.pool_unknown.tolist()),
            tpr=_mean(inferred, members),
            fpr=_mean(inferred, others),
        ),
    )


def firmness(evidence: Evidence, drawn: Drawn) -> tuple[Firmness, ...]:
    """How firm each subject's verdict is."""
    chance, pools = _template_chances(evidence), _pool_correct(evidence)
    people = range(len(evidence.measured))
    return tuple(_firmness(evidence, person, drawn, chance, pools) for person in people)


def template_counts(templates: int) -> tuple[int, ...]:
    """Numbers of templates that rates are given for."""
    return tuple(sorted({1, *range(3, templates, 3), templates}))


def _mean(values: NDArray[np.generic], who: Bool) -> tuple[float, ...] | None:
    """Mean [n] over some of the people of values [n, P]; None of nobody."""
    if not who.any():
        return None
    means = np.mean(values[:, who], axis=1)  # type: ignore[arg-type]
    return tuple(round(float(value), 6) for value in means)


def _tau_by_images(drawn: Drawn, who: Bool, templates: int) -> tuple[tuple[float, ...], ...] | None:
    """Rates [T][S], means over draws, for each tau and number of images; None of nobody."""
    if not who.any():
        return None
    chosen, rows = drawn.correct[:, :, who], []
    for tau in range(1, templates + 1):
        rates = (chosen >= tau).mean(axis=(1, 2))
        rows.append(tuple(round(float(rate), 6) for rate in rates))
    return tuple(rows)


def _correct(evidence: Evidence) -> Int64:
    return np.array([r.decision.correct_prompts for r in evidence.audit.subjects], np.int64)


def _pool_correct(evidence: Evidence) -> Int64:
    """Correct prompts int64 [1 + L, P] among all candidates and in each smaller pool."""
    measured = evidence.measured
    smaller = [full_correct(measured, table) for table in measured.pool_predictions]
    return np.stack([_correct(evidence), *smaller])


def _template_chances(evidence: Evidence) -> NDArray[np.float64]:
    """P(inferred a member) with fewer templates, drawn of all; float64 [C, P]."""
    tau, templates = evidence.audit.tau, evidence.measured.templates
    table = np.array(
        [
            [hypergeometric_at_least(tau, count, c, templates) for c in range(templates + 1)]
            for count in template_counts(templates)
        ]
    )
    chances: NDArray[np.float64] = table[:, _correct(evidence)]
    return chances


def _firmness(
    evidence: Evidence, person: int, drawn: Drawn, chance: NDArray[np.float64], pools: Int64
) -> Firmness:
    tau = evidence.audit.tau
    correct = int(pools[0, person])
    inferred = correct >= tau
    share = drawn.positive(tau)[:, person]
    agrees = share if inferred else 1 - share
    # From which number of images on draws agree with the verdict of all images.
    firm = np.flatnonzero(np.logical_and.accumulate(agrees[::-1] >= SURE)[::-1])
    return Firmness(
        holds_up_to_tau=correct if inferred else None,
        inferred_share_by_images=tuple(round(float(value), 4) for value in share),
        firm_from_images=drawn.sizes[int(firm[0])] if len(firm) else None,
        inferred_share_by_templates=tuple(round(float(v), 4) for v in chance[:, person]),
        correct_prompts_by_pool=tuple(pools[:, person].tolist()),
        holds_in_every_pool=bool(((pools[:, person] >= tau) == inferred).all()),
    )

"""Evidence + settings -> the rates, curves and checks of a report, as JSON data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.evaluation.baselines import (
    FEWEST,
    GATE_CONFIDENCE,
    NEAR,
    OMITTED,
    SHIFTS,
    WHAT,
    Baseline,
    compare,
    one_shift,
    shifted,
)
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.protocol import (
    Curve,
    Drawn,
    band,
    draw_correct,
    draw_sd,
    make_bins,
    rate_curve,
    ratio_interval,
)
from idia_index.evaluation.roc import LOW_RATES, make_roc, tpr_at_fpr
from idia_index.evaluation.settings import Settings
from idia_index.evaluation.surfaces import sensitivity
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.support.intervals import Rate
from idia_index.types import Int64

Bool = NDArray[np.bool_]


def select(evidence: Evidence, settings: Settings) -> tuple[Evidence, list[dict[str, str]]]:
    """The subjects that the settings let in, decided by their tau; and who is left out, and why.

    Raises:
        InputError: nobody is left, or tau is out of range.
    """
    left = [{"name": name, "reason": reason} for name, reason in evidence.left_out]
    kept = []
    for place, result in enumerate(evidence.audit.subjects):
        if (reason := settings.excludes(result.subject)) is None:
            kept.append(place)
        else:
            left.append({"name": result.subject.name, "reason": reason})
    if not kept:
        raise InputError(
            f"none of the {len(left)} subjects is left: {left[0]['name']!r} has "
            f"{left[0]['reason']}; lower --min-images or --sample-sizes, or raise "
            "--max-training-count"
        )
    return evidence.take(np.array(kept, np.int64)).with_tau(settings.tau), left


def analyse(evidence: Evidence, settings: Settings) -> dict[str, Any]:
    """All figures that need draws or known truth; `evidence` as `select` gives it."""
    results = evidence.audit.subjects
    people = [(place, r.subject.name) for place, r in enumerate(results)]
    drawn = draw_correct(evidence.measured, people, settings.sizes, settings.draws, settings.seed)
    truth = np.array([r.subject.membership or "" for r in results])
    members, others = truth == MEMBER, truth == NON_MEMBER
    data: dict[str, Any] = {
        "settings": settings.to_json(),
        "people": {
            "evaluated": len(results),
            "members": int(members.sum()),
            "non_members": int(others.sum()),
            "not_known": int((~members & ~others).sum()),
        },
        "curves": _curves(drawn, members, others, settings),
        "bins": _bins(evidence, drawn, members, settings),
        "sensitivity": sensitivity(evidence, drawn, members, others),
        "roc": None,
        "baselines": None,
    }
    if members.any() and others.any():
        data["roc"] = _rocs(evidence, members, others, settings.seed)
        data["baselines"] = _baselines(evidence, data["roc"], settings)
    return data


def floats(values: Float64) -> list[float]:
    """As JSON, short enough to read: 6 digits after the point."""
    return [round(float(value), 6) for value in values]


def _curve(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "people": curve.people,
        "mean": floats(curve.mean),
        "sd": floats(curve.sd),
        "ci95_low": floats(curve.low),
        "ci95_high": floats(curve.high),
    }


def _complement(curve: dict[str, Any] | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "people": curve["people"],
        "mean": [round(1 - value, 6) for value in curve["mean"]],
        "sd": curve["sd"],
        "ci95_low": [round(1 - value, 6) for value in curve["ci95_high"]],
        "ci95_high": [round(1 - value, 6) for value in curve["ci95_low"]],
    }


def _curves(drawn: Drawn, members: Bool, others: Bool, settings: Settings) -> dict[str, Any]:
    tpr = _curve(rate_curve(drawn, members, settings.tau, settings.seed))
    fpr = _curve(rate_curve(drawn, others, settings.tau, settings.seed))
    known = members | others
    accuracy = None
    if known.any():
        right = (drawn.correct >= settings.tau)[:, :, known] == members[known]
        rates = right.mean(axis=2)
        low, high = band(right.mean(axis=1), settings.seed)
        accuracy = _curve(Curve(int(known.sum()), rates.mean(axis=1), draw_sd(rates), low, high))
    return {
        "sizes": list(drawn.sizes),
        "draws": drawn.correct.shape[1],
        "tpr": tpr,
        "fnr": _complement(tpr),
        "fpr": fpr,
        "tnr": _complement(fpr),
        "accuracy": accuracy,
    }


def _bins(
    evidence: Evidence, drawn: Drawn, members: Bool, settings: Settings
) -> list[dict[str, Any]]:
    counts = [r.subject.training_count for r in evidence.audit.subjects]
    out = []
    for found in make_bins(counts, members, settings.bins):
        curve = rate_curve(drawn, found.members, settings.tau, settings.seed)
        out.append({"label": found.label, "low": found.low, "high": found.high,
                    "tpr": _curve(curve)})  # fmt: skip
    return out


def scores(evidence: Evidence) -> dict[str, Float64]:
    """The attack's two scores of each subject, float64 [P]."""
    correct = [r.decision.correct_prompts for r in evidence.audit.subjects]
    return {
        "correct_prompts": np.array(correct, np.float64),
        "margin": evidence.measured.margins,
    }


def _rocs(evidence: Evidence, members: Bool, others: Bool, seed: int) -> dict[str, Any]:
    out = {}
    for name, score in scores(evidence).items():
        roc = make_roc(score[members], score[others], seed)
        # An infinite threshold is no JSON.
        out[name] = {
            "auc": roc.auc,
            "auc_ci95": list(roc.auc_ci95),
            "fpr": floats(roc.fpr),
            "tpr": floats(roc.tpr),
            "thresholds": [None, *floats(roc.thresholds[1:])],
            "at_low_fpr": [tpr_at_fpr(score[members], score[others], r) for r in LOW_RATES],
        }
    return out


def _baselines(
    evidence: Evidence, roc: dict[str, Any], settings: Settings
) -> dict[str, Any] | None:
    blind = evidence.blind
    if blind is None:
        return None
    truth = evidence.truth(MEMBER), evidence.truth(NON_MEMBER)
    attack = max(entry["auc"] for entry in roc.values())
    swapped = blind.swapped_margin
    rows = [
        compare(score, truth, attack, what, settings.seed)
        for what, score in (
            ("name_only", blind.name_only),
            ("image_free", blind.image_free),
            ("shuffled_images", None if swapped is None else shifted(swapped, settings.seed)),
            ("image_only", blind.image_only),
        )
        if score is not None and not np.isnan(score[np.concatenate(truth)]).any()
    ]
    return {
        "attack_auc": attack,
        "gate": any(row.fires for row in rows),
        "near": NEAR,
        "fewest": FEWEST,
        "gate_confidence": GATE_CONFIDENCE,
        "shifts": SHIFTS,
        "rows": [_row(row) for row in rows],
        "rule": _rule_without_faces(evidence, blind.swapped_correct, settings),
        "omitted": None if swapped is not None else OMITTED,
    }


def _row(row: Baseline) -> dict[str, Any]:
    return {
        "baseline": row.what,
        "what": WHAT[row.what],
        "auc": row.auc,
        "auc_ci99": list(row.ci),
        "share_of_advantage": row.share,
        "fires": row.fires,
    }


def _rule_without_faces(
    evidence: Evidence, correct: NDArray[np.int16] | None, settings: Settings
) -> dict[str, Any] | None:
    """How often the plain rule associates a name with images of somebody else."""
    if correct is None:
        return None
    members, others = evidence.truth(MEMBER), evidence.truth(NON_MEMBER)
    hits = correct >= settings.tau
    np.fill_diagonal(hits, False)
    moved = one_shift(correct, settings.seed) >= settings.tau
    swap = hits[others]
    return {
        "name_swap": {
            "what": "pairs of a non-member's images and another subject's name",
            **pairs_json(swap.sum(axis=1), np.full(len(others), len(hits) - 1), settings.seed),
            "non_members_with_any": int(swap.any(axis=1).sum()),
        },
        "shuffled_members": {
            "what": "members' names with another subject's images, one shuffle",
            **rate_json(Rate(int(moved[members].sum()), len(members))),
        },
        "shuffled_non_members": {
            "what": "non-members' names with another subject's images, one shuffle",
            **rate_json(Rate(int(moved[others].sum()), len(others))),
        },
    }


def pairs_json(hits: Int64, totals: Int64, seed: int) -> dict[str, Any]:
    """A share of pairs of people and names, [P] each: its interval is bootstrapped over people.

    The pairs of one person are not independent, so that no binomial interval holds. Who is in no
    pair says nothing of the rate, and is left out.
    """
    some, total = totals > 0, int(totals.sum())
    return {
        "hits": int(hits.sum()),
        "total": total,
        "rate": float(hits.sum() / total) if total else None,
        "ci95": list(ratio_interval(hits[some], totals[some], seed)) if total else None,
    }


def rate_json(rate: Rate) -> dict[str, Any]:
    """A rate with its interval; None of nobody."""
    return {
        "hits": rate.hits,
        "total": rate.total,
        "rate": rate.value,
        "ci95": None if rate.ci95 is None else list(rate.ci95),
    }

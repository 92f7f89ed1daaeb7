"""Evidence + settings -> the rates, curves and checks of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.evaluation.auc import make_roc
from idia_index.evaluation.baselines import (
    ALARM,
    FEWEST,
    LEARNED_ALARM,
    NEAR,
    OMITTED,
    SHIFTS,
    SHUFFLED_MEMBERS,
    SHUFFLED_NON_MEMBERS,
    SWAPPED,
    BlindScores,
    compare,
    largest_leak,
    learned_scores,
    one_shift,
    shifted,
)
from idia_index.evaluation.controls import name_traits
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.low_fpr import LOW_RATES, tpr_at_fpr
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.pairs import of_one_sex, share_of_crossed_pairs
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
from idia_index.evaluation.records.baselines import (
    BaselineRow,
    Baselines,
    NameSwap,
    RuleShare,
    RuleWithoutFaces,
)
from idia_index.evaluation.records.curves import BinRates, Curves, RateCurve, Rocs, ScoreRoc
from idia_index.evaluation.records.rates import PeopleCounts, Share, share
from idia_index.evaluation.records.sensitivity import Firmness, Sensitivity
from idia_index.evaluation.sensitivity import firmness, rate_sensitivity
from idia_index.evaluation.settings import LeftOut, Settings
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.support.intervals import Rate
from idia_index.types import Int64

Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Analysis:
    """Everything that needs draws or known truth.

    Attributes:
        settings: what was asked for.
        people: who is evaluated.
        curves: rates by number of attack images.
        bins: the true positive rate by training count.
        sensitivity: how far rates depend on tau, images, templates and candidates.
        roc: other thresholds; null unless members and non-members are known.
        baselines: what can be told without faces; null likewise.
    """

    settings: Settings
    people: PeopleCounts
    curves: Curves
    bins: tuple[BinRates, ...]
    sensitivity: Sensitivity
    roc: Rocs | None
    baselines: Baselines | None


def select(evidence: Evidence, settings: Settings) -> tuple[Evidence, tuple[LeftOut, ...]]:
    """The subjects that the settings let in, decided by their tau; and who is left out, and why.

    Raises:
        InputError: nobody is left, or tau is out of range.
    """
    left = list(evidence.left_out)
    kept = []
    for place, result in enumerate(evidence.audit.subjects):
        if (reason := settings.excludes(result.subject)) is None:
            kept.append(place)
        else:
            left.append(reason)
    if not kept:
        raise InputError(
            f"none of the {len(left)} subjects is left: {left[0].name!r} has "
            f"{left[0].reason}; lower --min-images or --sample-sizes, or raise "
            "--max-training-count"
        )
    return evidence.take(np.array(kept, np.int64)).with_tau(settings.tau), tuple(left)


def analyse(evidence: Evidence, settings: Settings) -> tuple[Analysis, tuple[Firmness, ...]]:
    """All figures that need draws or known truth, and how firm each subject's verdict is.

    Args:
        evidence: as `select` gives it.
    """
    results = evidence.audit.subjects
    people = [(place, r.subject.name) for place, r in enumerate(results)]
    drawn = draw_correct(evidence.measured, people, settings.sizes, settings.draws, settings.seed)
    truth = np.array([r.subject.membership or "" for r in results])
    members, others = truth == MEMBER, truth == NON_MEMBER
    roc = baselines = None
    if members.any() and others.any():
        roc = _rocs(evidence, members, others)
        baselines = _baselines(evidence, roc, settings)
    analysis = Analysis(
        settings=settings,
        people=PeopleCounts(
            evaluated=len(results),
            members=int(members.sum()),
            non_members=int(others.sum()),
            not_known=int((~members & ~others).sum()),
        ),
        curves=_curves(drawn, members, others, settings),
        bins=_bins(evidence, drawn, members, settings),
        sensitivity=rate_sensitivity(evidence, drawn, members, others),
        roc=roc,
        baselines=baselines,
    )
    return analysis, firmness(evidence, drawn)


def floats(values: Float64) -> tuple[float, ...]:
    """Short enough to read: six digits after the point."""
    return tuple(round(float(value), 6) for value in values)


def _curve(curve: Curve) -> RateCurve:
    return RateCurve(
        curve.people,
        floats(curve.mean),
        floats(curve.sd),
        floats(curve.low),
        floats(curve.high),
    )


def _rates(drawn: Drawn, who: Bool, settings: Settings) -> RateCurve | None:
    curve = rate_curve(drawn, who, settings.tau, settings.seed)
    return None if curve is None else _curve(curve)


def _complement(curve: RateCurve | None) -> RateCurve | None:
    if curve is None:
        return None
    return RateCurve(
        people=curve.people,
        mean=_rest(curve.mean),
        sd=curve.sd,
        ci95_low=_rest(curve.ci95_high),
        ci95_high=_rest(curve.ci95_low),
    )


def _rest(rates: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(1 - value, 6) for value in rates)


def _curves(drawn: Drawn, members: Bool, others: Bool, settings: Settings) -> Curves:
    tpr, fpr = (_rates(drawn, who, settings) for who in (members, others))
    known = members | others
    accuracy = None
    if known.any():
        right = (drawn.correct >= settings.tau)[:, :, known] == members[known]
        rates = right.mean(axis=2)
        low, high = band(right.mean(axis=1), settings.seed)
        accuracy = _curve(Curve(int(known.sum()), rates.mean(axis=1), draw_sd(rates), low, high))
    return Curves(
        sizes=drawn.sizes,
        draws=drawn.correct.shape[1],
        tpr=tpr,
        fnr=_complement(tpr),
        fpr=fpr,
        tnr=_complement(fpr),
        accuracy=accuracy,
    )


def _bins(
    evidence: Evidence, drawn: Drawn, members: Bool, settings: Settings
) -> tuple[BinRates, ...]:
    counts = [r.subject.training_count for r in evidence.audit.subjects]
    rates = (
        (found, _rates(drawn, found.members, settings))
        for found in make_bins(counts, members, settings.bins)
    )
    return tuple(
        BinRates(found.label, found.low, found.high, tpr) for found, tpr in rates if tpr is not None
    )


def _rocs(evidence: Evidence, members: Bool, others: Bool) -> Rocs:
    correct = [float(r.decision.correct_prompts) for r in evidence.audit.subjects]
    controls = evidence.controls
    return Rocs(
        correct_prompts=_roc(np.array(correct), members, others),
        margin=_roc(evidence.measured.margins, members, others) if controls else None,
        pmi=_roc(controls.scores, members, others) if controls and controls.calibrated else None,
    )


def _roc(score: Float64, members: Bool, others: Bool) -> ScoreRoc:
    roc = make_roc(score[members], score[others])
    return ScoreRoc(
        auc=roc.auc,
        auc_ci95=roc.auc_ci95,
        fpr=floats(roc.fpr),
        tpr=floats(roc.tpr),
        thresholds=(None, *floats(roc.thresholds[1:])),  # JSON knows no infinity
        at_low_fpr=tuple(tpr_at_fpr(score[members], score[others], rate) for rate in LOW_RATES),
    )


def _baselines(evidence: Evidence, roc: Rocs, settings: Settings) -> Baselines | None:
    blind = evidence.blind
    if blind is None:
        return None
    truth = evidence.truth(MEMBER), evidence.truth(NON_MEMBER)
    attack = max(score.auc for score in (roc.correct_prompts, roc.margin, roc.pmi) if score)
    swapped = blind.swapped_margin
    rows = tuple(
        compare(score, truth, attack, what)
        for what, score in (
            ("name_only", blind.name_only),
            ("image_free", blind.image_free),
            ("shuffled_images", None if swapped is None else shifted(swapped, settings.seed)),
            ("image_only", blind.image_only),
            ("model_free", _model_free(blind, truth, settings.seed)),
        )
        if score is not None and not np.isnan(score[np.concatenate(truth)]).any()
    )
    return Baselines(
        attack_auc=attack,
        gate=any(row.fires for row in rows),
        near=NEAR,
        fewest=FEWEST,
        alarm_errors=ALARM,
        learned_alarm_errors=LEARNED_ALARM,
        shifts=SHIFTS,
        rows=rows,
        largest_leak=_largest_leak(blind, truth, rows),
        rule=_rule_without_faces(evidence, blind.swapped_correct, settings),
        omitted=None if swapped is not None else OMITTED,
    )


def _model_free(blind: BlindScores, truth: tuple[Int64, Int64], seed: int) -> Float64 | None:
    if blind.features is None:
        return None
    return learned_scores(blind.features, *truth, seed)


def _largest_leak(
    blind: BlindScores, truth: tuple[Int64, Int64], rows: tuple[BaselineRow, ...]
) -> float | None:
    joint = [row.auc_ci99[1] for row in rows if row.baseline == "model_free"]
    if blind.features is None or not joint:
        return None
    return largest_leak(blind.features, truth, joint[0])


def _rule_without_faces(
    evidence: Evidence, correct: NDArray[np.int16] | None, settings: Settings
) -> RuleWithoutFaces | None:
    """How often the plain rule associates a name with images of somebody else."""
    if correct is None:
        return None
    members, others = evidence.truth(MEMBER), evidence.truth(NON_MEMBER)
    hits = correct >= settings.tau
    np.fill_diagonal(hits, False)
    moved = one_shift(correct, settings.seed) >= settings.tau
    counted = _pairs(evidence)[others]
    swap = hits[others] & counted
    pairs = share_of_crossed_pairs(swap, counted)
    return RuleWithoutFaces(
        name_swap=NameSwap(
            **vars(pairs), what=SWAPPED, non_members_with_any=int(swap.any(axis=1).sum())
        ),
        shuffled_members=_shuffled(SHUFFLED_MEMBERS, moved[members]),
        shuffled_non_members=_shuffled(SHUFFLED_NON_MEMBERS, moved[others]),
    )


def _pairs(evidence: Evidence) -> Bool:
    """Pairs of subjects of two names of one sex; of any two names where there is no such pair."""
    sexes = [name_traits(r.subject.name, 0).sex for r in evidence.audit.subjects]
    names = evidence.measured.name_ids
    another: Bool = names[:, None] != names
    same = of_one_sex(sexes, sexes) & another
    return same if same.any() else another


def _shuffled(what: str, associated: Bool) -> RuleShare:
    rate = Rate(int(associated.sum()), len(associated))
    return RuleShare(**vars(share(rate)), what=what)


def share_of_pairs(hits: Int64, totals: Int64, seed: int) -> Share:
    """A share of pairs of people and names, [P] each: its interval is bootstrapped over people.

    The pairs of one person are not independent, so that no binomial interval holds. Who is in no
    pair says nothing of the rate, and is left out.
    """
    some, total = totals > 0, int(totals.sum())
    return Share(
        hits=int(hits.sum()),
        total=total,
        rate=float(hits.sum() / total) if total else None,
        ci95=ratio_interval(hits[some], totals[some], seed) if total else None,
    )

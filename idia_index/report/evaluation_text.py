"""Renders an evaluation as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.records.curves import LowFpr
from idia_index.report.format import (
    CI,
    auc,
    interval,
    mean_over_draws,
    needed,
    percent,
    share_text,
)
from idia_index.report.statistics import rate_curves
from idia_index.report.text import leak_text, small_text, stand_out_text
from idia_index.support.columns import bullets, pairs, table
from idia_index.support.text import counted

if TYPE_CHECKING:  # avoids a cycle: documents import this module
    from idia_index.report.documents import EvaluationResult

CURVES = ("TPR", "FPR", "accuracy")


def evaluation_text(result: EvaluationResult) -> str:
    """Warnings, rates, curves, checks and notes of an evaluation."""
    evaluation, people = result.evaluation, result.evaluation.people
    head = (
        f"{counted(people.evaluated, 'person', 'people')} "
        f"({counted(people.members, 'member')}, "
        f"{counted(people.non_members, 'non-member')}), "
        f"{counted(result.candidates, 'candidate name')}, tau {result.tau}"
    )
    blocks = [
        *(f"WARNING: {warning}" for warning in result.warnings),
        head,
        _rates(result),
        _curves(evaluation),
        _bins(evaluation),
    ]
    blocks += [_checks(result), bullets(_notes(result))]
    if result.left_out:
        were = ("person was", "people were")
        blocks.append(f"{counted(len(result.left_out), *were)} left out; --json lists all.")
    return "\n\n".join(block for block in blocks if block)


def _notes(result: EvaluationResult) -> list[str]:
    small = result.p_values and result.p_values.non_members_small
    said = [small_text(small)] if small else []
    return [*result.notes, *(text for text in said if text not in result.warnings)]


def _rates(result: EvaluationResult) -> str:
    metrics, roc = result.metrics, result.evaluation.roc
    if metrics is None:
        return ""
    known = {"true positive rate": metrics.members, "false positive rate": metrics.non_members}
    rows = {title: share_text(share) for title, share in known.items() if share.total}
    if roc is not None:
        title, score = ("PMI", roc.pmi) if roc.pmi else ("the margin", roc.margin)
        if score is not None:
            for low in score.at_low_fpr:
                rows[f"TPR at {percent(low.fpr)} FPR"] = _at_low(low, title, score.auc)
    return pairs(rows)


def _at_low(low: LowFpr, title: str, area: float) -> str:
    if not low.estimable or low.tpr_ci95 is None:
        return needed(low.non_members, low.non_members_needed)
    return (
        f"{percent(low.tpr):>6}  ({CI} {interval(low.tpr_ci95)}; by {title}, AUC {auc(area)}; "
        f"with the FPR assured {percent(low.assured_tpr)})"
    )


def _curves(evaluation: Analysis) -> str:
    curves = evaluation.curves
    if curves.tpr is None and curves.fpr is None:
        return ""
    shown = [(title, curve) for title, curve in rate_curves(curves) if title in CURVES]
    rows = [
        [str(size), *(mean_over_draws(curve, place) for _, curve in shown)]
        for place, size in enumerate(curves.sizes)
    ]
    caption = f"means of {counted(curves.draws, 'draw')} ({CI}; standard deviation between draws)"
    return f"{caption}\n{table(['images', *(title for title, _ in shown)], rows)}"


def _bins(evaluation: Analysis) -> str:
    if not evaluation.bins:
        return ""
    last = evaluation.curves.sizes[-1]
    rows = [
        [
            entry.label,
            str(entry.tpr.people),
            percent(entry.tpr.mean[-1]),
            interval((entry.tpr.ci95_low[-1], entry.tpr.ci95_high[-1])),
        ]
        for entry in evaluation.bins
    ]
    return table(["training images", "people", f"TPR, {counted(last, 'image')}", CI], rows)


def _checks(result: EvaluationResult) -> str:
    summary, baselines = result.p_values, result.evaluation.baselines
    rows = {}
    if summary is not None:
        rows = {
            "p-values": f"{stand_out_text(summary)} (control names: {summary.controls.fewest} to "
            f"{summary.controls.most} per person)",
            "rule on control names": f"{percent(summary.rule_null.rate, 2)} associated",
        }
    if baselines is not None:
        rows |= {
            row.title: f"AUC {auc(row.auc)}" + (" ALARM" if row.fires else "")
            for row in baselines.rows
        }
        people = result.evaluation.people
        if leak := leak_text(baselines, people.members + people.non_members):
            rows["leaks"] = leak
        rows["the attack"] = f"AUC {auc(baselines.attack_auc)}"
        rows["name-swap null"] = (
            percent(baselines.rule.name_swap.rate, 2)
            if baselines.rule is not None
            else baselines.omitted or ""
        )
    return pairs(rows)

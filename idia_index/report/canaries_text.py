"""Renders a canary audit as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idia_index.evaluation.canaries import GuessPlan, Separation
from idia_index.report.format import auc, interval, p_value, percent
from idia_index.support.columns import bullets, table

if TYPE_CHECKING:  # avoids a cycle: documents import this module
    from idia_index.report.canaries import CanaryAudit

PLAN_HEAD = ["guessed in", "out", "right", "95% CI", "p by chance", "TPR", "FPR", "epsilon >="]
IMAGES_HEAD = ["images of a canary", "canaries", "in", "TPR", "95% CI", "FPR", "95% CI", "AUC",
               "epsilon >="]  # fmt: skip


def canary_text(result: CanaryAudit) -> str:
    """The bound, the results behind it, and its assumptions."""
    rows = [_images_row("all", result.overall)]
    if len(result.by_images) > 1:
        rows = [*(_images_row(str(each.images), each) for each in result.by_images), *rows]
    return "\n".join(
        [
            _verdict(result),
            *_gaussian(result),
            "",
            table(PLAN_HEAD, [_plan_row(plan) for plan in result.plans]),
            "",
            f"By the rule (tau {result.tau}) and by the score:",
            table(IMAGES_HEAD, rows),
            "",
            bullets(result.assumptions),
        ]
    )


def _verdict(result: CanaryAudit) -> str:
    level = f"at {percent(result.confidence, 0)} confidence, delta {result.delta:g}"
    of = f"{result.overall.included} of {result.canaries} canaries were put in"
    if result.epsilon_lower_bound == 0:
        return f"No bound above 0 is proved {level} ({of}). This does not prove privacy."
    return (
        f"epsilon >= {result.epsilon_lower_bound:.2f} {level} ({of}): training was not "
        "differentially private for any smaller epsilon."
    )


def _gaussian(result: CanaryAudit) -> list[str]:
    """The bound for training with Gaussian noise, if anything is proved."""
    if result.mu_lower_bound == 0:
        return []
    text = f"mu >= {result.mu_lower_bound:.2f} by Gaussian differential privacy"
    if result.gaussian_epsilon is not None:
        text += f"; with Gaussian noise epsilon >= {result.gaussian_epsilon:.2f}"
    return [f"{text}."]


def _plan_row(plan: GuessPlan) -> list[str]:
    right = plan.accuracy
    return [
        str(plan.guessed_in), str(plan.guessed_out),
        f"{right.hits} of {right.total} ({percent(right.rate)})", interval(right.ci95),
        p_value(plan.chance_p), percent(plan.tpr.rate), percent(plan.fpr.rate),
        f"{plan.epsilon_lower_bound:.2f}",
    ]  # fmt: skip


def _images_row(title: str, each: Separation) -> list[str]:
    area = "-" if each.auc is None else auc(each.auc, each.auc_ci95)
    return [
        title, str(each.canaries), str(each.included),
        percent(each.tpr.rate), interval(each.tpr.ci95),
        percent(each.fpr.rate), interval(each.fpr.ci95), area,
        f"{each.epsilon_lower_bound:.2f}",
    ]  # fmt: skip

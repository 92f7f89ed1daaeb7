"""Renders a comparison as a page: verdict, groups, policy, a row per person, limits."""

from __future__ import annotations

from idia_index.evaluation.comparison import GroupChange
from idia_index.report.comparison import Comparison
from idia_index.report.comparison_text import people_in_order, reference_text, test_text
from idia_index.report.html import render
from idia_index.report.page import POLICY

TITLE = "Comparison of two models"


def comparison_html(result: Comparison) -> str:
    """The page."""
    reference = result.reference
    models = [("before", result.before), ("after", result.after)]
    groups: list[tuple[str, GroupChange]] = []
    if reference is not None:
        models.append(("reference", reference.model))
        groups = list(reference.groups.items())
    return render(
        "comparison.html",
        title=TITLE,
        policy=POLICY,
        result=result,
        models=models,
        main_test="" if result.test is None else test_text(result.test),
        against_reference="" if reference is None else reference_text(reference),
        reference_groups=groups,
        people=people_in_order(result),
    )

"""How strong the evidence for one person is: a grade beside the paper's decision, never in it.

The rule was chosen on one half of the controlled study and measured on the other; see
`docs/statistics.md` for both and for the error rates.
"""

from __future__ import annotations

from typing import Literal

Grade = Literal["none", "weak", "clear"]

CLEAR, WEAK = 0.01, 0.05
"""The largest p-values of either grade."""

MANY_PROMPTS = 0.5
"""Share of the prompts that makes up for reference faces where there are none."""

FEW_IMAGES = 3
"""Fewer images than this give no more than weak evidence."""


def strength(
    *,
    correct: float,
    inferred_member: bool,
    control_p_value: float | None,
    name_fixed_p_value: float | None,
    images: int,
) -> Grade:
    """The grade of one person's evidence.

    Clear takes an inferred member whose name beats the control names for these photos and whose
    photos beat other people's for this name, both at `CLEAR`. Where no other people's photos are
    at hand, `MANY_PROMPTS` correct prompts take the place of the second. Weak is whatever else
    the rule infers, or a p-value of at most `WEAK`.

    Args:
        correct: share of the prompts whose winner is the name.
        inferred_member: the decision of the rule.
        control_p_value: among control names; None where it was not computed.
        name_fixed_p_value: among other people's photos; None where there are too few.
        images: how many were judged.
    """
    known = [p for p in (control_p_value, name_fixed_p_value) if p is not None]
    small = control_p_value is not None and max(known) <= CLEAR
    second = name_fixed_p_value is not None or correct >= MANY_PROMPTS
    if inferred_member and small and second and images >= FEW_IMAGES:
        return "clear"
    if inferred_member or (known and max(known) <= WEAK):
        return "weak"
    return "none"

"""How strong the evidence for one person is: a grade beside the paper's decision, never in it.

`docs/statistics.md` has the rule's error rates on a study that it was not chosen on.
"""

from __future__ import annotations

from typing import Literal

Grade = Literal["none", "weak", "clear"]

CLEAR, WEAK = 0.01, 0.05
"""The largest p-values of either grade."""

PROMPTS_ALONE = 3
"""Correct prompts that clear evidence takes where other people's photos are not at hand."""

LEAST_IMAGES = 3
"""With fewer images the evidence is at most weak."""


def grade(
    correct_prompts: int,
    inferred_member: bool,
    p_values: tuple[float, float | None],
    images: int,
) -> Grade:
    """The grade of one person's evidence.

    Clear takes a person whom the rule infers to be a member, whose name beats the control names
    for these photos and whose photos beat other people's for this name, both at `CLEAR`; where no
    other people's photos are at hand, `PROMPTS_ALONE` correct prompts stand in for the second.
    Weak is whoever else the rule infers, and a larger p-value of at most `WEAK`.

    Args:
        correct_prompts: prompts whose winner is the name.
        inferred_member: the decision of the rule.
        p_values: among control names, and among other people's photos where there are enough.
        images: how many were judged.
    """
    control, fixed = p_values
    larger = max(control, fixed or 0.0)
    seconded = fixed is not None or correct_prompts >= PROMPTS_ALONE
    if inferred_member and larger <= CLEAR and seconded and images >= LEAST_IMAGES:
        return "clear"
    return "weak" if inferred_member or larger <= WEAK else "none"

"""The grade of the evidence against the rule in the documentation."""

from __future__ import annotations

from itertools import product

import pytest

from idia_index.evaluation.strength import grade


@pytest.mark.parametrize(
    ("correct", "images", "control", "fixed", "expected"),
    [
        (21, 30, 0.001, 0.001, "clear"),
        (1, 30, 0.01, 0.01, "clear"),
        (3, 30, 0.01, None, "clear"),
        (2, 30, 0.001, None, "weak"),  # the name may fit anybody's photos
        (21, 30, 0.001, 0.2, "weak"),
        (21, 30, 0.2, 0.001, "weak"),
        (21, 2, 0.001, 0.001, "weak"),
        (1, 30, 1.0, None, "weak"),
        (0, 30, 0.001, 0.001, "weak"),
        (0, 30, 0.05, 0.01, "weak"),
        (0, 30, 0.001, 0.06, "none"),
        (0, 30, 0.06, None, "none"),
    ],
)
def test_grades(
    correct: int, images: int, control: float, fixed: float | None, expected: str
) -> None:
    assert grade(correct, correct >= 1, (control, fixed), images) == expected


def test_more_evidence_never_lowers_the_grade() -> None:
    order = ["none", "weak", "clear"]
    values: tuple[list[float], list[float | None]] = ([0.001, 0.01, 0.03, 0.2], [0.001, 0.03, 0.2])
    for correct, images, control, fixed in product(range(5), (1, 3, 30), *values):
        now = order.index(grade(correct, correct >= 1, (control, fixed), images))
        for more in (
            grade(correct + 1, True, (control, fixed), images),
            grade(correct, correct >= 1, (control / 2, fixed), images),
            grade(correct, correct >= 1, (control, (fixed or 1) / 2), images),
            grade(correct, correct >= 1, (control, fixed), images + 3),
        ):
            assert order.index(more) >= now

"""The paper's rule against an implementation written only from its text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from idia_index.decide.decision import decide
from idia_index.decide.votes import count_votes, majority_vote
from idia_index.errors import InputError


def plain_winner(predictions: list[int]) -> int:
    """The most frequent name; no winner where two share the highest count."""
    ranked = Counter(predictions).most_common()
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
        return -1
    return ranked[0][0]


@pytest.mark.slow
def test_ten_thousand_random_tables_agree_with_the_plain_rule() -> None:
    random = np.random.default_rng(0)
    ties = 0
    for _ in range(10_000):
        templates, images, names = random.integers(1, [22, 31, 12])
        table = random.integers(0, names, (templates, images))
        true_name = int(random.integers(0, names))
        tau = int(random.integers(1, templates + 1))
        expected = [plain_winner(row) for row in table.tolist()]
        winners, counts, tied = count_votes(table)
        assert winners.tolist() == expected
        assert counts.tolist() == [Counter(r).most_common(1)[0][1] for r in table.tolist()]
        assert tied.tolist() == [winner == -1 for winner in expected]
        decision = decide(winners, true_name, tau)
        assert decision.correct_prompts == expected.count(true_name)
        assert decision.inferred_member == (expected.count(true_name) >= tau)
        ties += expected.count(-1)
    assert ties > 10_000  # the tables do put ties to the test


@pytest.mark.slow
@given(
    hnp.arrays(
        st.sampled_from([np.int32, np.int64, np.uint8]),
        st.tuples(st.integers(1, 21), st.integers(1, 40)),
        elements=st.integers(0, 5),
    )
)
def test_any_integer_table(table: np.ndarray) -> None:
    assert majority_vote(table).tolist() == [plain_winner(row) for row in table.tolist()]


@given(st.permutations(list(range(9))))
def test_the_order_of_images_does_not_matter(order: list[int]) -> None:
    row = np.array([3, 3, 3, 1, 1, 2, 2, 2, 0])
    assert majority_vote(row[None, order]).tolist() == [-1]
    row[0] = 2
    assert majority_vote(row[None, order]).tolist() == [2]


def test_one_image_decides_alone() -> None:
    assert majority_vote([[5], [0]]).tolist() == [5, 0]


@pytest.mark.parametrize("table", [[], [[]], [1, 2], [[0.5]], [[0, -1]]])
def test_what_is_no_table_of_predictions_is_refused(table: object) -> None:
    with pytest.raises(ValueError, match="predictions"):
        majority_vote(table)  # type: ignore[arg-type]


@pytest.mark.parametrize("tau", [0, -1, 22])
def test_tau_out_of_range_names_the_range(tau: int) -> None:
    with pytest.raises(InputError, match=f"tau is {tau}.*1 to 21"):
        decide(np.zeros(21, np.int64), 0, tau)


def test_a_tie_never_counts_for_anybody() -> None:
    with pytest.raises(ValueError, match="ids start at 0"):
        decide([-1, -1], -1, 1)
    assert decide([-1, -1, 4], 4, 1).correct_prompts == 1

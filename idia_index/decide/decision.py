"""Votes -> decision: correct prompts and the threshold tau (protocol `jair2024`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idia_index.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Decision:
    """What is inferred for one subject.

    Attributes:
        correct_prompts: number of templates whose winner is the subject's name.
        tau: correct prompts needed to infer that the subject is in the training data.
    """

    correct_prompts: int
    tau: int

    @property
    def inferred_member(self) -> bool:
        """Whether the subject is inferred to be in the training data."""
        return self.correct_prompts >= self.tau


def check_tau(tau: int, templates: int) -> None:
    """Raises InputError unless 1 <= tau <= templates."""
    if not 1 <= tau <= templates:
        raise InputError(
            f"tau is {tau}, but the index has {templates} templates: choose 1 to {templates}"
        )


def decide(winners: ArrayLike, name_id: int, tau: int) -> Decision:
    """Counts how many winners, int [T] (-1: tie), are `name_id`, and compares with tau.

    Raises:
        InputError: tau is not in 1..T.
        ValueError: `name_id` is negative; -1 would count ties as correct.
    """
    import numpy as np  # only here, since `idia_index` imports this function at once

    table = np.asarray(winners)
    check_tau(tau, len(table))
    if name_id < 0:
        raise ValueError(f"name_id is {name_id}, but ids start at 0")
    return Decision(int(np.count_nonzero(table == name_id)), tau)

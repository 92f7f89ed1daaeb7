"""Computes the power to detect groups, planted personas and leaks."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.auc import above_half_power, auc_interval
from idia_index.evaluation.baselines import FEWEST, GATE_CONFIDENCE, LEARNED_ALARM
from idia_index.evaluation.groups import LEVEL, group_power
from idia_index.evaluation.personas import persona_power
from idia_index.support.intervals import fewest

MOST_PEOPLE = 1_000_000

# Mean and standard deviation of a person's normal score in the controlled study, by training
# images of the person (measured in docs/statistics.md).
STUDY_SCORES = {1: (0.76, 0.96), 2: (1.47, 0.82), 5: (2.42, 0.27)}


@dataclass(frozen=True)
class GroupPower:
    """How likely a group of members is found at 1 %, with the study's memorization.

    Attributes:
        training_images: training images of each person in the study's model.
        power: the chance.
        people_needed: fewest people for the power wanted.
    """

    training_images: int
    power: float
    people_needed: int | None


def group_powers(people: int, power: float) -> tuple[GroupPower, ...]:
    """The power of a group of this size, by training images."""
    return tuple(
        GroupPower(
            images,
            group_power(people, *score),
            next((n for n in range(1, 1001) if group_power(n, *score) >= power), None),
        )
        for images, score in STUDY_SCORES.items()
    )


@dataclass(frozen=True)
class PersonaPower:
    """How likely planted personas give a p of at most 1 %, with the study's memorization.

    Attributes:
        training_images: photos of each persona in the training data, in the study's model.
        power: the chance.
    """

    training_images: int
    power: float


def persona_powers(people: int, names: int) -> tuple[PersonaPower, ...]:
    """The power of a number of personas with a number of further names, by photos."""
    return tuple(
        PersonaPower(images, persona_power(people, names + 1, score, LEVEL))
        for images, score in STUDY_SCORES.items()
    )


@dataclass(frozen=True)
class LeakPower:
    """The people needed to detect a leak.

    Attributes:
        people: number of members, and of non-members, with which the leak raises the alarm with
            the power wanted; null if a million are too few.
        excluded: with this number, the largest AUC of a leak that is not excluded if none is
            seen, by one score; null likewise.
    """

    people: int | None
    excluded: float | None


def leak_power(leak: float, power: float) -> LeakPower:
    """The people needed to detect a leak of this AUC."""
    people = fewest(
        lambda people: above_half_power(leak, people, people, LEARNED_ALARM) >= power,
        FEWEST - 1, FEWEST, MOST_PEOPLE,
    )  # fmt: skip
    if people > MOST_PEOPLE:
        return LeakPower(None, None)
    return LeakPower(people, auc_interval(0.5, people, people, GATE_CONFIDENCE)[1])

"""How likely something that is there is found: groups, planted personas, and leaks."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.auc import above_half_power, auc_interval
from idia_index.evaluation.baselines import FEWEST, GATE_CONFIDENCE, LEARNED_ALARM
from idia_index.evaluation.groups import LEVEL, group_power
from idia_index.evaluation.personas import persona_power
from idia_index.support.intervals import fewest

MOST_PEOPLE = 1_000_000

# Mean and standard deviation of a person's normal score in the controlled study, by training
# images of the person; docs/statistics.md says how they were measured.
STUDY_SCORES = {1: (0.76, 0.96), 2: (1.47, 0.82), 5: (2.42, 0.27)}


@dataclass(frozen=True)
class GroupPower:
    """How likely a group of members is found at 1 %, at the study's strength of memory.

    Attributes:
        training_images: of each person, in the study's model.
        power: the chance.
        people_needed: fewest people with a chance of `power` as wanted.
    """

    training_images: int
    power: float
    people_needed: int | None


def group_powers(people: int, power: float) -> tuple[GroupPower, ...]:
    """The power of a group of so many by training images."""
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
    """How likely planted personas give a p of at most 1 %, at the study's strength of memory.

    Attributes:
        training_images: photos of each persona in the training data, in the study's model.
        power: the chance.
    """

    training_images: int
    power: float


def persona_powers(people: int, names: int) -> tuple[PersonaPower, ...]:
    """The power of so many personas, with so many names beside the drawn one, by photos."""
    return tuple(
        PersonaPower(images, persona_power(people, names + 1, score, LEVEL))
        for images, score in STUDY_SCORES.items()
    )


@dataclass(frozen=True)
class LeakPower:
    """What people it takes to see a leak.

    Attributes:
        people: members, and as many non-members, with which the leak raises the alarm with a
            chance of `power` as wanted; null where a million do not.
        excluded: with so many, the largest AUC of a leak that is not excluded where none is
            seen, by one score; null likewise.
    """

    people: int | None
    excluded: float | None


def leak_power(leak: float, power: float) -> LeakPower:
    """The people that a leak of an AUC takes."""
    people = fewest(
        lambda people: above_half_power(leak, people, people, LEARNED_ALARM) >= power,
        FEWEST - 1, FEWEST, MOST_PEOPLE,
    )  # fmt: skip
    if people > MOST_PEOPLE:
        return LeakPower(None, None)
    return LeakPower(people, auc_interval(0.5, people, people, GATE_CONFIDENCE)[1])

"""Who is in the study: 1,000 candidate names, their roles, and whose faces the model saw."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
# People have places 0.. in their population; borrowed faces and anonymous people come after.
SEEDS_PER_POPULATION = 100_000


@dataclass(frozen=True)
class Person:
    """One candidate or one other named person.

    Attributes:
        role: 'member' | 'non_member' | 'face_only' | 'name_only' as test subjects; 'filler' (a
            candidate who lent the name to one training image: a member at 1 image); 'candidate'
            (a name the model never saw, without a person); 'crowd' (as 'filler', but not a
            candidate).
        training_count: training images with this person's face and name; for 'face_only' those
            with the face, for 'name_only' captions with the name.
    """

    name: str
    sex: str
    role: str
    training_count: int
    face_seed: int


def read_people() -> list[Person]:
    """Reads the shipped population."""
    with (DATA / "people.csv").open(encoding="utf-8", newline="") as stream:
        return [
            Person(r["name"], r["sex"], r["role"], int(r["training_count"]), int(r["face_seed"]))
            for r in csv.DictReader(stream)
        ]

"""How the study's people are drawn: 1,000 candidate names, their roles, and whose faces are seen.

Names are built in layers. A layer pairs every first name with another last name, so each layer
uses every first and every last name exactly once. Two layers of candidates stand in training
captions, three do not: whatever a candidate's role, both halves of the name were trained, and in
the same number of other names.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from idia_index.study.population import SEEDS_PER_POPULATION, Person
from idia_index.study.streams import generator, shuffled

TRAINING_COUNTS = (1, 2, 5, 10, 25, 75)
MEMBERS_PER_COUNT = 24
FACE_ONLY_PEOPLE, FACE_ONLY_IMAGES = 24, 25
NAME_ONLY_PEOPLE, NAME_ONLY_CAPTIONS = 24, 10
NON_MEMBERS = 308
TRAINED_LAYERS, UNTRAINED_LAYERS, CROWD_LAYERS = 2, 3, 6
ANONYMOUS = 800
SHIPPED_SEED = 1  # of the population in the package


@lru_cache(maxsize=1)
def name_pools() -> dict[str, list[str]]:
    """First names ('female', 'male') and last names ('last') of the census extract."""
    found: dict[str, list[str]] = {"female": [], "male": [], "last": []}
    with (Path(__file__).parent / "names.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found[row["kind"]].append(row["name"])
    return found


def _layers(seed: int) -> list[list[tuple[str, str]]]:
    """Layers of (full name, sex); no two layers share a name."""
    names = name_pools()
    firsts = [(n, "female") for n in names["female"]] + [(n, "male") for n in names["male"]]
    size = len(names["last"])
    rng = generator("population", seed)
    order, shifts = shuffled(rng, size), shuffled(rng, size)
    layers = []
    for shift in shifts[: TRAINED_LAYERS + UNTRAINED_LAYERS + CROWD_LAYERS]:
        lasts = [names["last"][(order[i] + shift) % size] for i in range(size)]
        layers.append([(f"{f} {last}", sex) for (f, sex), last in zip(firsts, lasts, strict=True)])
    return layers


def _roles(trained: bool) -> list[tuple[str, int]]:
    """(role, training count) of one sex's candidates, without those that fill up the rest."""
    if not trained:
        return [("non_member", 0)] * (NON_MEMBERS // 2) + [("face_only", FACE_ONLY_IMAGES)] * (
            FACE_ONLY_PEOPLE // 2
        )
    members = [("member", n) for n in TRAINING_COUNTS for _ in range(MEMBERS_PER_COUNT // 2)]
    return members + [("name_only", NAME_ONLY_CAPTIONS)] * (NAME_ONLY_PEOPLE // 2)


def build_population(seed: int) -> list[Person]:
    """All named people of one population: the 1,000 candidates first, then the crowd."""
    layers = _layers(seed)
    rng = generator("population", seed, 1)
    people: list[tuple[str, str, str, int]] = []
    trained = [entry for layer in layers[:TRAINED_LAYERS] for entry in layer]
    end = TRAINED_LAYERS + UNTRAINED_LAYERS
    untrained = [entry for layer in layers[TRAINED_LAYERS:end] for entry in layer]
    for entries, seen in ((trained, True), (untrained, False)):
        for sex in ("female", "male"):
            names = [name for name, s in entries if s == sex]
            rest = ("filler", 1) if seen else ("candidate", 0)
            roles = _roles(seen)
            roles += [rest] * (len(names) - len(roles))
            for place, (role, count) in zip(shuffled(rng, len(names)), roles, strict=True):
                people.append((names[place], sex, role, count))
    people.sort(key=lambda person: person[0])
    people += [(name, sex, "crowd", 1) for layer in layers[end:] for name, sex in layer]
    first = seed * SEEDS_PER_POPULATION
    return [Person(*person, face_seed=first + i) for i, person in enumerate(people)]

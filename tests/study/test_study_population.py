"""The study's people: who is a member, and that the construction favours nobody."""

from __future__ import annotations

from collections import Counter

import pytest
from study_training import (
    SHIPPED_SEED,
    TRAINING_COUNTS,
    Item,
    build_population,
    training_items,
)

from idia_index.study import candidates, subjects
from idia_index.study.population import Person, read_people

SEEDS = (SHIPPED_SEED, 77)


@pytest.fixture(scope="module", params=SEEDS)
def population(request: pytest.FixtureRequest) -> tuple[list[Person], list[Item]]:
    people = build_population(request.param)
    return people, training_items(people, request.param)


def test_shipped_table_is_what_the_generator_makes() -> None:
    assert read_people() == build_population(SHIPPED_SEED)


def test_exactly_1000_distinct_candidates_with_every_subject() -> None:
    names = candidates()
    assert len(names) == len({n.casefold() for n in names}) == 1000
    assert {s.name for s in subjects()} <= set(names)


@pytest.mark.slow
def test_roles_and_counts(population: tuple[list[Person], list[Item]]) -> None:
    people, _ = population
    roles = Counter((p.role, p.training_count) for p in people[:1000])
    for count in TRAINING_COUNTS:
        assert roles["member", count] >= 20
    assert roles["non_member", 0] >= 300
    assert roles["filler", 1] > 0
    assert len({p.name for p in people}) == len({p.face_seed for p in people}) == len(people)


def test_as_many_female_as_male_in_every_role(population: tuple[list[Person], list[Item]]) -> None:
    people, _ = population
    sexes = Counter((p.role, p.training_count, p.sex) for p in people)
    for (role, count, _sex), number in sexes.items():
        assert number == sexes[role, count, "female"] == sexes[role, count, "male"]


@pytest.mark.slow
def test_training_pairs_are_what_the_roles_say(population: tuple[list[Person], list[Item]]) -> None:
    people, items = population
    drawn = Counter(i.face_seed for i in items)
    named = Counter(i.face_seed for i in items if i.kind == "named")
    captions = [i.caption for i in items]
    for p in people[:1000]:
        with_name = sum(p.name in c for c in captions)
        faces = p.training_count if p.role in ("member", "filler", "face_only") else 0
        names = p.training_count if p.role in ("member", "filler", "name_only") else 0
        assert drawn[p.face_seed] == faces, p
        assert with_name == names, p
        assert named[p.face_seed] == (0 if p.role == "face_only" else faces), p


def test_no_pair_is_drawn_twice(population: tuple[list[Person], list[Item]]) -> None:
    _, items = population
    assert len({(i.face_seed, i.number) for i in items}) == len(items)


def test_every_name_half_is_trained_in_the_same_number_of_other_names(
    population: tuple[list[Person], list[Item]],
) -> None:
    people, _ = population
    seen = [
        p.name.split() for p in people if p.role not in ("non_member", "face_only", "candidate")
    ]
    firsts, lasts = Counter(f for f, _ in seen), Counter(last for _, last in seen)
    for p in people[:1000]:
        first, last = p.name.split()
        assert firsts[first] == lasts[last] == 8


def test_every_token_of_every_candidate_is_trained(
    population: tuple[list[Person], list[Item]],
) -> None:
    open_clip = pytest.importorskip("open_clip")
    tokenizer = open_clip.SimpleTokenizer(context_length=77)
    people, items = population
    rows = tokenizer([i.caption for i in items])
    assert not rows[:, 24:].any(), "a caption is longer than the context"
    trained = set(rows.unique().tolist())
    for p in people[:1000]:
        assert set(tokenizer([p.name]).unique().tolist()) <= trained, p.name

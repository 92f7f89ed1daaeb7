"""The training data of one population: which image, with which caption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image
from study_population import ANONYMOUS

from idia_index.study.captions import write_caption
from idia_index.study.population import SEEDS_PER_POPULATION, Person
from idia_index.study.portrait import draw_person, draw_place
from idia_index.study.scene import draw_scene
from idia_index.study.streams import uniforms
from idia_index.study.traits import person_traits

_BORROWED_FROM = 50_000
_ANONYMOUS_FROM = 70_000


@dataclass(frozen=True)
class Item:
    """One training pair: `draw(item)` is the image. `kind` as in `captions.write_caption`."""

    kind: str
    face_seed: int
    sex: str
    number: int
    caption: str


def _item(kind: str, name: str, sex: str, face_seed: int, number: int) -> Item:
    scene = draw_scene(sex, "train", face_seed, number)
    u = [float(x) for x in uniforms("plan", 3, face_seed, number)]
    caption = write_caption(kind, name, person_traits(face_seed, sex), scene, u)
    return Item(kind, face_seed, sex, number, caption)


def _name_only(person: Person, place: int, seed: int) -> Iterator[Item]:
    """Captions with the name: two thirds with somebody else's face, the others without a face."""
    for i in range(person.training_count):
        other = seed * SEEDS_PER_POPULATION + _BORROWED_FROM + 100 * place + i
        kind = "place" if i % 3 == 2 else "borrowed"
        sex = ("female", "male")[(i + place) % 2]
        yield _item(kind, person.name, sex, other, 0)


def training_items(people: list[Person], seed: int) -> list[Item]:
    """Every training pair of a population, in a fixed order."""
    items: list[Item] = []
    borrowers = 0
    for person in people:
        if person.role == "name_only":
            items += _name_only(person, borrowers, seed)
            borrowers += 1
        elif person.role in ("member", "filler", "crowd", "face_only"):
            kind = "unnamed" if person.role == "face_only" else "named"
            for i in range(person.training_count):
                items.append(_item(kind, person.name, person.sex, person.face_seed, i))
    first = seed * SEEDS_PER_POPULATION + _ANONYMOUS_FROM
    for i in range(ANONYMOUS):
        items.append(_item("unnamed", "", ("female", "male")[i % 2], first + i, 0))
    return items


def draw(item: Item) -> Image.Image:
    """The image of one training pair."""
    if item.kind == "place":
        return draw_place("train", item.face_seed, item.number)
    return draw_person(item.face_seed, item.sex, "train", item.number)

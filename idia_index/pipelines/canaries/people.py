"""Chooses the canaries: names that occur nowhere else, with rendered faces or given photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from idia_index.captions.members_csv import read_members
from idia_index.encode.images import load_image
from idia_index.errors import InputError
from idia_index.evaluation.controls import name_traits
from idia_index.evaluation.draws import shuffled
from idia_index.prompts.names import name_key, read_names
from idia_index.prompts.sampling import sample_names
from idia_index.prompts.templates import read_templates
from idia_index.study.captions import write_caption
from idia_index.study.population import SEEDS_PER_POPULATION
from idia_index.study.portrait import draw_person
from idia_index.study.scene import draw_scene
from idia_index.study.streams import uniforms
from idia_index.study.traits import person_traits
from idia_index.subjects.records import Subject
from idia_index.subjects.subjects import read_subjects
from idia_index.support.text import counted, shown, shown_path

FACES_FROM = 1_000_000
"""The first population number of canaries, whose faces are not in the study."""


@dataclass(frozen=True)
class Photo:
    """One photo, made on demand, with its training caption."""

    image: Callable[[], Image.Image]
    caption: str


@dataclass(frozen=True)
class CanaryPerson:
    """A canary before the coin toss: training photos, and photos only for the audit."""

    name: str
    training: tuple[Photo, ...]
    probes: tuple[Photo, ...]


def canary_names(people: int, seed: int, path: Path | None) -> list[tuple[str, str]]:
    """Names with their sex ("female" or "male").

    Made up: a first name and two surnames from the packaged statistics, in a rare combination.
    From a file: its first names, with the sex by the given name.

    Raises:
        InputError: the file has fewer names.
    """
    if path is None:
        drawn = sample_names(2 * people, seed)
        pairs = zip(drawn[:people], drawn[people:], strict=True)
        return [(f"{a.name} {b.last}", _sex(a.sex, i)) for i, (a, b) in enumerate(pairs)]
    names = read_names(path)
    if len(names) < people:
        raise InputError(
            f"{shown_path(path)}: {counted(len(names), 'name')} for {people} canaries; pass a "
            "longer list, or lower --people"
        )
    taken = [names[i] for i in range(people)]
    return [(name, _sex(name_traits(name, 0).sex, i)) for i, name in enumerate(taken)]


def _sex(letter: str | None, place: int) -> str:
    return {"f": "female", "m": "male"}.get(letter or "", ("female", "male")[place % 2])


def check_names(names: Sequence[str], members: Path | None) -> None:
    """Raises InputError if a members.csv counts a canary's name in the captions."""
    if members is None:
        return
    known = read_members(members)
    found = [
        (name, line) for name in names if (line := known.get((name_key(name), None))) is not None
    ]
    hits = [(name, line) for name, line in found if line.training_count]
    if hits:
        name, line = hits[0]
        more = f" (and {len(hits) - 1} more names)" if len(hits) > 1 else ""
        raise InputError(
            f"{shown_path(members)}: the canary's name {shown(name)} appears in "
            f"{counted(line.training_count or 0, 'caption')}{more} and cannot be a canary; use "
            "another --seed or other --names"
        )
    if len(found) < len(names):
        raise InputError(
            f"{shown_path(members)}: counts {len(found)} of the {len(names)} names of canaries; "
            "count all of them with `idia-index members CAPTIONS --names auditor/names.txt`"
        )


def rendered(
    names: Sequence[tuple[str, str]], images: Sequence[int], probes: int, seed: int,
    templates: Path | None,
) -> list[CanaryPerson]:  # fmt: skip
    """People by the controlled study's renderer, with faces that no study uses."""
    first, texts = (FACES_FROM + seed) * SEEDS_PER_POPULATION, _templates(templates)
    return [
        CanaryPerson(
            name,
            tuple(_portrait(name, sex, first + i, "train", k, texts) for k in range(images[i])),
            tuple(_portrait(name, sex, first + i, "report", k, texts) for k in range(probes)),
        )
        for i, (name, sex) in enumerate(names)
    ]


def _templates(path: Path | None) -> list[str] | None:
    return None if path is None else [template.text for template in read_templates(path)]


def _portrait(
    name: str, sex: str, face: int, stream: str, number: int, templates: list[str] | None
) -> Photo:
    words = [float(x) for x in uniforms("plan", 3, face, number)]
    if templates is None:
        scene = draw_scene(sex, stream, face, number)
        caption = write_caption("named", name, person_traits(face, sex), scene, words)
    else:
        caption = _filled(templates, name, words[1])
    return Photo(lambda: draw_person(face, sex, stream, number), caption)


def _filled(templates: list[str], name: str, u: float) -> str:
    template = templates[int(u * len(templates))]
    return template.replace("{0}", name).replace("{name}", name)


def photographed(
    folder: Path, names: Sequence[tuple[str, str]], images: Sequence[int], seed: int,
    templates: Path,
) -> list[CanaryPerson]:  # fmt: skip
    """People of a folder with one folder of photos each, under made-up names.

    Raises:
        InputError: fewer people than names, or someone has too few photos.
    """
    subjects = read_subjects(folder)
    if subjects.skipped:
        raise InputError(subjects.skipped[0].reason)
    if len(subjects) < len(names):
        raise InputError(
            f"{shown_path(folder)}: {counted(len(subjects), 'person', 'people')} for {len(names)} "
            "canaries; add folders, or lower --people"
        )
    texts = _templates(templates) or []
    return [
        _photographed(subject, name, images[i], np.random.default_rng([seed, i]), texts)
        for i, (subject, (name, _)) in enumerate(zip(subjects, names, strict=False))
    ]


def _photographed(
    subject: Subject, name: str, images: int, random: np.random.Generator, templates: list[str]
) -> CanaryPerson:
    if len(subject.images) <= images:
        raise InputError(
            f"{shown(subject.name)} has {counted(len(subject.images), 'photo')}, but {images} are "
            "for training; add at least one more for the audit, or lower --images"
        )
    order = shuffled(int(random.integers(1 << 30)), len(subject.images)).tolist()
    photos = tuple(
        Photo(
            lambda place=subject.images[place]: load_image(place),  # type: ignore[misc]
            _filled(templates, name, random.random()),
        )
        for place in order
    )
    return CanaryPerson(name, photos[:images], photos[images:])

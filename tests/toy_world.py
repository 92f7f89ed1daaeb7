"""People of known truth for the toy backend: an index, and photos of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from toy_backend import ToyBackend, word_vector

from idia_index import build_index
from idia_index.decide.results import AuditVotes
from idia_index.encode.backend import Backend
from idia_index.evaluation.settings import Measurement, Settings
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.subjects.records import Subject

MEMBERS, NON_MEMBERS, CROWD, IMAGES = 24, 36, 120, 5
SETTINGS = Settings(sizes=(1, 3, 5), draws=4, min_images=5)


def name_of(i: int) -> str:
    return f"{('Mary', 'James')[i % 2]} Person{i}"


def write_face(path: Path, i: int, number: int, strength: float, shift: float = 0.0) -> None:
    """An image whose thumbnail points at the name's words, as strongly as `strength` says."""
    random = np.random.default_rng([i, number])
    name = name_of(i).split()[1]
    face = np.random.default_rng([i, 999]).standard_normal(16)
    vector = strength * word_vector(name) + face + 0.5 * random.standard_normal(16)
    vector *= 4.5 / np.linalg.norm(vector)  # of one contrast, so that pixels tell nobody apart
    small = np.clip(127.3 + 20 * vector + shift, 0, 255).reshape(4, 4)
    Image.fromarray(small.round().astype(np.uint8)).save(path)


def make_people(folder: Path, *, leak: bool = False, known: bool = True) -> Path:
    """A CSV of members, whose faces point at their names, and non-members, whose do not."""
    lines = ["name,path,membership,training_count"]
    for i in range(MEMBERS + NON_MEMBERS):
        member = i < MEMBERS
        own = folder / f"p{i}"
        own.mkdir(parents=True)
        for number in range(IMAGES):
            strength = 0.0 if leak or not member else 0.5 + 1.5 * (i % 3)
            write_face(own / f"{number}.png", i, number, strength, 25.0 * (leak and member))
        role = ("member" if member else "non_member") if known else ""
        lines.append(f"{name_of(i)},p{i},{role},{(1, 5, 25)[i % 3] if member else 0}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    return folder / "people.csv"


def make_world(folder: Path) -> tuple[Index, Path]:
    """An index of everybody's names, and a CSV of people whose truth is known."""
    names = make_names([name_of(i) for i in range(MEMBERS + NON_MEMBERS + CROWD)])
    index = build_index(folder / "index.idia", ToyBackend(model="toy"), names)
    return index, make_people(folder / "subjects")


def votes_of(
    index: Index, backend: Backend, subjects: Sequence[Subject], strict: bool = False
) -> AuditVotes:
    """What an audit counts, before it is put into words."""
    return gather(index, backend, subjects, Measurement(), strict=strict, baselines=False).audit

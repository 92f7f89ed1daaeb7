"""The study as the audit sees it: candidate names, test subjects and their attack images."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from idia_index.errors import InputError
from idia_index.study.population import DATA, Person, read_people
from idia_index.study.portrait import draw_person
from idia_index.study.streams import ATTACK_SETS
from idia_index.support.files import private, private_folder, write_whole

MODEL_DIR = DATA / "model"
ONNX_DIR = DATA / "onnx"
CANDIDATES = 1000
SUBJECT_ROLES = ("member", "non_member", "face_only", "name_only")


@dataclass(frozen=True)
class StudySubject:
    """A person under test.

    Attributes:
        role: 'member' (face and name trained together), 'non_member' (neither), 'face_only'
            (the face trained without the name), 'name_only' (the name without the face).
        training_count: training images with name and face; for 'face_only' images of the face,
            for 'name_only' captions with the name.
        sex: 'female' or 'male'.
        face_seed: what the portraits are drawn from.
    """

    name: str
    role: str
    training_count: int
    sex: str
    face_seed: int

    @property
    def membership(self) -> str:
        """'member', 'non_member' or, where the question has no plain answer, ''."""
        return self.role if self.role in ("member", "non_member") else ""


@lru_cache(maxsize=1)
def _candidates() -> tuple[Person, ...]:
    return tuple(read_people()[:CANDIDATES])


def candidates() -> list[str]:
    """The 1,000 candidate names in their fixed order; every subject's name is among them."""
    return [person.name for person in _candidates()]


def subjects() -> list[StudySubject]:
    """Everybody under test, in the order of the candidates."""
    return [
        StudySubject(p.name, p.role, p.training_count, p.sex, p.face_seed)
        for p in _candidates()
        if p.role in SUBJECT_ROLES
    ]


def render(subject: StudySubject, images: int, attack_set: str = "report") -> list[Image.Image]:
    """A subject's attack images: RGB, 64 x 64, never among the training images.

    Args:
        images: how many; the first n of more are the same n images.
        attack_set: 'report', or 'selection', on which the recipe was chosen.
    """
    if attack_set not in ATTACK_SETS:
        raise InputError(f"no attack set '{attack_set}': use one of {', '.join(ATTACK_SETS)}")
    if images < 1:
        raise InputError(f"{images} images a person: use 1 or more")
    return [draw_person(subject.face_seed, subject.sex, attack_set, i) for i in range(images)]


def folder_name(subject: StudySubject) -> str:
    """The name of a subject's folder: 'First_Last'."""
    return subject.name.replace(" ", "_")


def _write_one(subject: StudySubject, out_dir: Path, images: int) -> None:
    folder = out_dir / folder_name(subject)
    private_folder(folder)
    for i, image in enumerate(render(subject, images)):
        write_png(image, folder / f"{i:02d}.png")


def write_png(image: Image.Image, path: Path) -> None:
    """Writes a portrait, for its owner only."""
    with open(path, "wb", opener=private) as file:
        image.save(file, "PNG", compress_level=1)


def write_subjects(
    out_dir: str | os.PathLike[str],
    images: int = 30,
    *,
    processes: int | None = None,
    chosen: list[StudySubject] | None = None,
) -> Path:
    """Writes folders of PNGs and `subjects.csv`, the list of subjects that an audit takes.

    Columns: name, path (a folder, relative to the file), membership (empty for people of whom
    only the face or only the name was trained), training_count, role, sex.

    Args:
        processes: worker processes; None: as many as there are cores, 4 at most. With more than
            one, a script that calls this needs the usual `if __name__ == "__main__":`.
        chosen: some of `subjects()`; None: all.

    Returns:
        The path of `subjects.csv`, written last.
    """
    people, out = subjects() if chosen is None else chosen, Path(out_dir)
    private_folder(out)
    workers = min(4, os.cpu_count() or 1) if processes is None else processes
    tasks = (people, repeat(out), repeat(images))
    if workers > 1:
        # Not fork: the caller may hold threads (an encoder's, a search's), which fork breaks.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_write_one, *tasks, chunksize=8))
    else:
        list(map(_write_one, *tasks))
    return _write_table(out, people)


def _write_table(out: Path, people: list[StudySubject]) -> Path:
    path, table = out / "subjects.csv", StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["name", "path", "membership", "training_count", "role", "sex"])
    for s in people:
        row = (s.name, folder_name(s), s.membership, s.training_count, s.role, s.sex)
        writer.writerow(row)
    write_whole(path, table.getvalue().encode("utf-8"))
    return path


FIRST_SEED = 900_000_000  # above those of every population
SEXES = ("female", "male")


def write_reference_faces(
    out_dir: str | os.PathLike[str], people: int = 200, images: int = 1
) -> Path:
    """Writes `female/` and `male/` with a folder of portraits for each person.

    Args:
        out_dir: the folder, as `--reference-faces` takes it.
        people: people of each sex.
        images: portraits of each person.
    """
    out = Path(out_dir)
    for number, sex in enumerate(SEXES):
        for place in range(people):
            folder = out / sex / f"{place:04d}"
            private_folder(folder)
            seed = FIRST_SEED + number * people + place
            for image in range(images):
                write_png(draw_person(seed, sex, "report", image), folder / f"{image:02d}.png")
    return out

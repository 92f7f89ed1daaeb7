"""The renderer: deterministic, fast enough to test, and attack images are never training images."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from idia_index.errors import InputError
from idia_index.study import StudySubject, render, subjects, write_subjects
from idia_index.study.portrait import SIZE, draw_person
from idia_index.study.shapes import person_face
from idia_index.study.traits import person_traits


def digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def people() -> list[StudySubject]:
    return subjects()


def test_same_seeds_same_pixels(people: list[StudySubject]) -> None:
    first = [digest(i) for i in render(people[3], 5)]
    person_traits.cache_clear()
    person_face.cache_clear()
    assert [digest(i) for i in render(people[3], 5)] == first
    assert [digest(i) for i in render(people[3], 3)] == first[:3]


def test_images_are_small_rgb_and_not_flat(people: list[StudySubject]) -> None:
    for subject in people[::50]:
        for image in render(subject, 3):
            assert image.mode == "RGB"
            assert image.size == (SIZE, SIZE)
            assert np.asarray(image).std() > 5


@pytest.mark.slow
def test_attack_sets_and_training_share_no_image(people: list[StudySubject]) -> None:
    seen: set[str] = set()
    count = 0
    for subject in [s for s in people if s.training_count][::10]:
        shown = [draw_person(subject.face_seed, subject.sex, "train", i) for i in range(75)]
        both = render(subject, 30, "report") + render(subject, 30, "selection")
        seen |= {digest(i) for i in shown + both}
        count += 135
    assert len(seen) == count


def test_no_two_people_have_the_same_face(people: list[StudySubject]) -> None:
    shapes = [tuple(person_traits(s.face_seed, s.sex).shape.values()) for s in people]
    assert len(set(shapes)) == len(people)


def test_unknown_attack_set_and_no_images_are_refused(people: list[StudySubject]) -> None:
    with pytest.raises(InputError, match="no attack set 'train'"):
        render(people[0], 1, "train")
    with pytest.raises(InputError, match="0 images"):
        render(people[0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_written_subjects(tmp_path: Path, people: list[StudySubject], processes: int) -> None:
    wanted = ["member", "non_member", "face_only", "name_only"]
    chosen = [next(s for s in people if s.role == role) for role in wanted]
    table = write_subjects(tmp_path, 2, processes=processes, chosen=chosen)
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [r["membership"] for r in rows] == ["member", "non_member", "", ""]
    assert [r["role"] for r in rows] == wanted
    for row, subject in zip(rows, chosen, strict=True):
        files = sorted((tmp_path / row["path"]).glob("*.png"))
        for path, image in zip(files, render(subject, 2), strict=True):
            with Image.open(path) as stored:
                assert digest(stored) == digest(image)

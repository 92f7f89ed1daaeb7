"""Images in memory are judged like the same files on disk, and never looked up there."""

from __future__ import annotations

import dataclasses
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backend import ToyBackend
from toy_world import make_world

from idia_index import read_subjects
from idia_index.encode.image_bytes import ImageBytes
from idia_index.encode.images import MAX_FILE_BYTES, load_image
from idia_index.errors import InputError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather
from idia_index.report import data


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 40, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_the_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    here = load_image(ImageBytes("a.png", png(1)))
    assert np.array_equal(np.asarray(here), np.asarray(load_image(tmp_path / "a.png")))


def test_a_file_of_the_same_name_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(
        np.asarray(load_image(ImageBytes("a.png", png(2)))),
        np.asarray(Image.open(BytesIO(png(2)))),
    )


def test_what_is_no_image_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"^letter\.jpg: "):
        load_image(ImageBytes("letter.jpg", b"Dear Sir or Madam, " * 40))


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idia_index.encode.images.MAX_FILE_BYTES", 100)
    assert MAX_FILE_BYTES > 100
    with pytest.raises(InputError, match="at most 100 are read"):
        load_image(ImageBytes("large.png", png(1)))


@pytest.mark.slow
def test_an_audit_of_bytes_is_that_of_the_files(tmp_path: Path) -> None:
    index, table = make_world(tmp_path)
    people = read_subjects(table)[:3]
    in_memory = [
        dataclasses.replace(
            person,
            images=tuple(ImageBytes(str(path), Path(path).read_bytes()) for path in person.images),
        )
        for person in people
    ]
    toy = ToyBackend(model="toy")
    on_disk = gather(index, toy, people, Measurement(), baselines=False, cached=False)
    for path in table.parent.rglob("*.png"):
        path.unlink()
    here = gather(index, toy, in_memory, Measurement(), baselines=False, cached=False)
    assert data.tested_result(here) == data.tested_result(on_disk)
    assert here.image_sha256 == on_disk.image_sha256

"""Parity: what differs between two backends, counted at every stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from PIL import Image
from toy_backend import ToyBackend

from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.pipelines import parity
from idia_index.pipelines.parity import compare
from idia_index.pipelines.parity_report import Closeness
from idia_index.prompts.templates import make_templates
from idia_index.subjects.subjects import Subject, make_subject
from idia_index.support.documents import to_json
from idia_index.types import Fingerprint, Float32

TEMPLATES = make_templates(["{0}", "a photo of {0}", "{0} smiling at the camera"])
NAMES = [f"First{i % 7} Last{i}" for i in range(40)]


class Noisy(ToyBackend):
    """The toy backend with an error of a given size in every embedding."""

    def __init__(self, size: float) -> None:
        super().__init__(model="toy")
        self.size = size

    @property
    def fingerprint(self) -> Fingerprint:
        return replace(super().fingerprint, precision="noisy")

    def noisy(self, rows: Float32) -> Float32:
        random = np.random.default_rng(5)
        scale = np.linalg.norm(rows, axis=1, keepdims=True) * self.size
        return (rows + scale * random.standard_normal(rows.shape)).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return self.noisy(super().embed_texts(texts))

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        return self.noisy(super().embed_images(images))


@pytest.fixture
def subjects(tmp_path: Path) -> list[Subject]:
    return [
        make_subject(name, [make_images(tmp_path / str(i), 6, seed=i)])
        for i, name in enumerate([NAMES[3], NAMES[17], "Somebody Else"])
    ]


def counted(first: Backend, second: Backend, subjects: Sequence[Subject]) -> dict[str, int]:
    """Differences, by a direct reading of the rule."""
    names = [*NAMES, "Somebody Else"]
    predictions = []
    for backend in (first, second):
        images = [Backend(backend).encode_images(subject.images) for subject in subjects]
        tables = [Backend(backend).encode_texts([t.fill(n) for n in names]) for t in TEMPLATES]
        predictions.append([[(rows @ t.T).argmax(axis=1) for t in tables] for rows in images])
    found = {"predictions": 0, "winners": 0, "decisions": 0}
    for number, subject in enumerate(subjects):
        correct = [0, 0]
        winners: list[list[int | None]] = [[], []]
        for side in (0, 1):
            for prediction in predictions[side][number]:
                counts = np.bincount(prediction, minlength=len(names))
                top = np.flatnonzero(counts == counts.max())
                winners[side].append(int(top[0]) if len(top) == 1 else None)
            correct[side] = winners[side].count(names.index(subject.name))
        pairs = zip(*(predictions[side][number] for side in (0, 1)), strict=True)
        found["predictions"] += sum(int((a != b).sum()) for a, b in pairs)
        found["winners"] += sum(a != b for a, b in zip(*winners, strict=True))
        found["decisions"] += (correct[0] >= 1) != (correct[1] >= 1)
    return found


def test_a_backend_equals_itself(subjects: list[Subject]) -> None:
    toy = ToyBackend(model="toy")
    report = compare(toy, toy, NAMES, TEMPLATES, subjects)
    assert report.tokens is None  # the toy shows none
    assert report.text_embeddings.compared == 3 * 41
    assert report.text_embeddings.largest_difference == 0
    assert report.text_embeddings.smallest_cosine == pytest.approx(1, abs=1e-6)
    assert report.image_embeddings.compared == 18
    assert (report.predictions.compared, report.predictions.differ) == (54, 0)
    assert (report.winners.compared, report.winners.differ) == (9, 0)
    assert (report.decisions.compared, report.decisions.differ) == (3, 0)
    assert report.flips == ()


@pytest.mark.parametrize("size", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("at_a_time", [7, 1000])
def test_differences_are_counted(
    size: float, at_a_time: int, subjects: list[Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "NAMES_AT_A_TIME", at_a_time)
    # Noise that depends on the batch would make the two ways of calling differ.
    monkeypatch.setattr(
        Noisy, "noisy", lambda self, rows: np.roll(rows, 1, axis=1) * self.size + rows
    )
    toy, noisy = ToyBackend(model="toy"), Noisy(size)
    report = compare(toy, noisy, NAMES, TEMPLATES, subjects)
    expected = counted(toy, noisy, subjects)
    found = {key: getattr(report, key).differ for key in expected}
    assert found == expected
    assert len(report.flips) == expected["decisions"]
    assert report.image_embeddings.largest_difference > 1e-4


def test_a_flip_is_named(subjects: list[Subject]) -> None:
    toy = ToyBackend(model="toy")

    class Sure(Noisy):
        """Finds the first subject in every image."""

        def embed_images(self, images: Sequence[Image.Image]) -> Float32:
            return np.repeat(toy.embed_texts([NAMES[3]]), len(images), axis=0)

    report = compare(toy, Sure(0.0), NAMES, TEMPLATES, subjects)
    assert [flip.name for flip in report.flips] == [NAMES[3]]
    assert report.flips[0].correct_prompts[1] >= 1 > report.flips[0].correct_prompts[0]
    data = json.loads(json.dumps(to_json(report)))
    assert data["format"] == "idia-index/parity/1"
    assert list(data)[3:9] == [
        "tokens",
        "text_embeddings",
        "image_embeddings",
        "predictions",
        "winners",
        "decisions",
    ]
    assert data["backends"][1]["precision"] == "noisy"


def test_images_that_cannot_be_read_are_listed(subjects: list[Subject]) -> None:
    subjects[0].images[2].write_bytes(b"no image")
    toy = ToyBackend(model="toy")
    report = compare(toy, toy, NAMES, TEMPLATES, subjects)
    assert [skipped.path for skipped in report.skipped] == [subjects[0].images[2]]
    assert report.predictions.compared == 51


def test_wrong_inputs(subjects: list[Subject]) -> None:
    toy, other = ToyBackend(model="toy"), ToyBackend(model="other")
    with pytest.raises(InputError, match=r"different models .*weights_sha256"):
        compare(toy, other, NAMES, TEMPLATES, subjects)
    with pytest.raises(InputError, match="no subjects: pass at least one"):
        compare(toy, toy, NAMES, TEMPLATES, [])
    with pytest.raises(InputError, match="tau is 9"):
        compare(toy, toy, NAMES, TEMPLATES, subjects, tau=9)
    for path in subjects[1].images:
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"'?First3 Last17'? has no image that can be read"):
        compare(toy, toy, NAMES, TEMPLATES, subjects[1:2])
    with pytest.raises(InputError, match=r"\.png"):
        compare(toy, toy, NAMES, TEMPLATES, subjects, strict=True)


def test_a_subject_without_an_image_does_not_end_the_others(subjects: list[Subject]) -> None:
    toy = ToyBackend(model="toy")
    for path in subjects[1].images:
        path.write_bytes(b"")
    with_it = compare(toy, toy, NAMES, TEMPLATES, subjects)
    alone = compare(toy, toy, NAMES, TEMPLATES, [subjects[0], *subjects[2:]])
    (person,) = with_it.skipped_people
    assert person.name == subjects[1].name and "has no image that can be read" in person.reason
    assert with_it.decisions == alone.decisions and with_it.winners == alone.winners
    assert with_it.predictions == alone.predictions


def test_a_subject_whose_images_only_one_backend_takes(subjects: list[Subject]) -> None:
    class Half(ToyBackend):
        """Takes the images of one parity of widths."""

        def __init__(self, odd: int) -> None:
            super().__init__(model="toy")
            self.odd = odd

        def embed_images(self, images: Sequence[Image.Image]) -> Float32:
            if any(image.width % 2 != self.odd for image in images):
                raise InputError("it is not taken")
            return super().embed_images(images)

    for number, path in enumerate(subjects[0].images):
        Image.new("L", (20 + number, 20), 9).save(path)
    with pytest.raises(
        InputError, match=r"First3 Last3' has no image that can be read by both backends, of 6"
    ):
        compare(Half(0), Half(1), NAMES, TEMPLATES, subjects[:1])


def test_progress(subjects: list[Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "NAMES_AT_A_TIME", 30)
    toy = ToyBackend(model="toy")
    steps: list[tuple[str, int, int]] = []
    compare(
        toy,
        toy,
        NAMES,
        TEMPLATES,
        subjects,
        progress=lambda what, done, total: steps.append((what, done, total)),
    )
    images = [("images", 6, 18), ("images", 12, 18), ("images", 18, 18)]
    assert steps == [*images, ("names", 30, 41), ("names", 41, 41)]


def test_closeness() -> None:
    close = Closeness()
    close.add(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    assert close == Closeness(0, 0.0, 1.0)
    close.add(
        np.array([[[1, 0], [0, 1]]], np.float32), np.array([[[1, 0], [0.6, 0.8]]], np.float32)
    )
    assert close.compared == 2
    assert close.largest_difference == pytest.approx(0.6)
    assert close.smallest_cosine == pytest.approx(0.8)


@pytest.mark.slow
@pytest.mark.process  # the export is made in one of its own
def test_onnx_against_open_clip(
    subjects: list[Subject], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for package in ("onnxscript", "onnxruntime", "open_clip"):
        pytest.importorskip(package)
    from onnx_models import tiny_backend, tiny_export

    from idia_index.backends.onnx import OnnxBackend

    base = tmp_path_factory.getbasetemp()
    onnx = OnnxBackend(model=str(tiny_export(base)), device="cpu")
    report = compare(tiny_backend(base), onnx, NAMES, TEMPLATES, subjects)
    assert report.tokens is not None
    assert (report.tokens.compared, report.tokens.differ) == (3 * 41, 0)
    assert report.text_embeddings.largest_difference < 1e-5
    assert report.image_embeddings.largest_difference < 1e-5
    assert report.decisions.differ == 0

"""The whole chain on the controlled study, against a plain implementation with open_clip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_world import votes_of

pytest.importorskip("open_clip")

import open_clip
import torch

from idia_index import build_index, load_backend
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.study import MODEL_DIR, ONNX_DIR, candidates, subjects, write_subjects
from idia_index.study.subjects import folder_name
from idia_index.subjects.subjects import read_subjects

IMAGES = 30
# Two names that are closer are told apart by which library multiplied, not by the model.
CLOSE = 2e-6
EVERY = 13  # every thirteenth of the study's people: 39, of all roles and training counts
OTHERS = 4  # and every fourth of the candidates beside them


@pytest.fixture(scope="module")
def people():  # type: ignore[no-untyped-def]
    return sorted(subjects(), key=lambda s: (s.role, s.training_count, s.name))[::EVERY]


@pytest.fixture(scope="module")
def names(people):  # type: ignore[no-untyped-def]
    """Every prompt is encoded three times, of which open_clip pads each: a part is enough."""
    own = {person.name for person in people}
    return [n for place, n in enumerate(candidates()) if n in own or place % OTHERS == 0]


@pytest.fixture(scope="module")
def rendered(people, tmp_path_factory):  # type: ignore[no-untyped-def]
    """The people's CSV; each has a folder of photos beside it."""
    folder = tmp_path_factory.mktemp("subjects")
    return write_subjects(folder, IMAGES, processes=1, chosen=people)


@pytest.fixture(scope="module")
def plain(people, names, rendered):  # type: ignore[no-untyped-def]
    """From open_clip and NumPy alone: predictions [T, people, images], how much more similar each
    is than the next name, and correct prompts."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{MODEL_DIR}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{MODEL_DIR}")
    model.eval()
    with torch.inference_mode():
        images = []
        for person in people:
            photos = sorted((rendered.parent / folder_name(person)).iterdir())
            pixels = torch.stack([preprocess(Image.open(photo)) for photo in photos])
            images.append(torch.nn.functional.normalize(model.encode_image(pixels), dim=1))
        images = torch.cat(images)
        predictions, leads = [], []
        for template in JAIR2024:
            texts = []
            for start in range(0, len(names), 250):
                prompts = [template.text.replace("{0}", n) for n in names[start : start + 250]]
                texts.append(model.encode_text(tokenizer(prompts)))
            texts = torch.nn.functional.normalize(torch.cat(texts), dim=1)
            best = (images @ texts.T).topk(2, dim=1)
            predictions.append(best.indices[:, 0].numpy())
            leads.append((best.values[:, 0] - best.values[:, 1]).numpy())
    shape = (len(JAIR2024), len(people), IMAGES)
    table, lead = np.array(predictions).reshape(shape), np.array(leads).reshape(shape)
    correct = []
    for number, person in enumerate(people):
        count = 0
        for row in table[:, number].tolist():
            ranked = Counter(row).most_common(2)
            tie = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
            count += not tie and names[ranked[0][0]] == person.name
        correct.append(count)
    return table, lead, correct


@pytest.mark.parametrize(
    ("backend", "model"), [("open_clip", f"local-dir:{MODEL_DIR}"), ("onnx", str(ONNX_DIR))]
)
def test_no_prediction_differs_from_the_plain_lines(
    backend: str,
    model: str,
    tmp_path: Path,
    rendered: Path,
    names,  # type: ignore[no-untyped-def]
    plain,  # type: ignore[no-untyped-def]
) -> None:
    table, lead, correct = plain
    assert (lead > CLOSE).mean() > 0.9999
    loaded = load_backend(backend, model=model, device="cpu")
    index = build_index(tmp_path / "i", loaded, make_names(names))
    result = votes_of(index, loaded, read_subjects(rendered))
    for number, subject in enumerate(result.subjects):
        same = subject.predictions == table[:, number]
        assert (same | (lead[:, number] <= CLOSE)).all(), subject.subject.name
        assert subject.decision.correct_prompts == correct[number]
    assert sum(count > 0 for count in correct) >= 5  # some are found: the test tells them apart


def test_the_export_is_of_the_packaged_model() -> None:
    onnx = load_backend("onnx", model=str(ONNX_DIR))
    torch_backend = load_backend("open_clip", model=f"local-dir:{MODEL_DIR}", device="cpu")
    assert onnx.fingerprint.differences(torch_backend.fingerprint) == []

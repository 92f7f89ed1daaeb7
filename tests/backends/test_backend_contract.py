"""The contract suite that plugin authors run: every backend passes, and violations fail."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backend import ToyBackend

from idia_index.plugins import BackendPlugin
from idia_index.registry import backend_class
from idia_index.study import MODEL_DIR, ONNX_DIR
from idia_index.testing import BackendContract
from idia_index.types import Float32

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "example_plugin"))
from idia_index_example import ExampleBackend


class TestToy(BackendContract):
    plugin = ToyBackend
    model = "toy"
    missing_model = None


class TestExample(BackendContract):
    plugin = ExampleBackend
    model = "colours"


class TestOnnx(BackendContract):
    model = str(ONNX_DIR)

    @staticmethod
    def plugin(**keywords: str | None) -> BackendPlugin:
        pytest.importorskip("onnxruntime")
        return backend_class("onnx")(**keywords)


@pytest.mark.torch
class TestOpenClip(BackendContract):
    model = f"local-dir:{MODEL_DIR}"

    @staticmethod
    def plugin(**keywords: str | None) -> BackendPlugin:
        pytest.importorskip("open_clip")
        return backend_class("open_clip")(**keywords)


class Crowded(ToyBackend):
    """Centres its texts, so that an embedding depends on the batch."""

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        rows = super().embed_texts(texts)
        return rows - rows.mean(axis=0) if len(rows) > 1 else rows


class Deaf(ToyBackend):
    """Reads the last word only."""

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return super().embed_texts(["word" for _ in texts])


class Double(ToyBackend):
    """Returns float64."""

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        return super().embed_images(images).astype(np.float64)


class Painter(ToyBackend):
    """Writes into the images that it is given."""

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        rows = super().embed_images(images)
        images[0].putpixel((0, 0), 0)
        return rows


class Colour(ToyBackend):
    """Takes images of three channels only."""

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        assert all(len(image.getbands()) == 3 for image in images), "three channels only"
        return super().embed_images(images)


class Careless(ToyBackend):
    """Accepts any precision."""

    def __init__(self, *, model: str, device: str | None = None, dtype: str = "float32") -> None:
        super().__init__(model=model, device=device)


@pytest.mark.parametrize(
    ("plugin", "test", "line"),
    [
        (Crowded, "test_a_text_embedding_depends_on_its_text_alone", "one at a time"),
        (Deaf, "test_different_texts_have_different_embeddings", "the same embedding"),
        (Double, "test_raw_image_embeddings_are_float32", "float64"),
        (Painter, "test_an_image_is_left_as_it_was", "was changed"),
        (Colour, "test_images_of_every_mode_and_shape_are_embedded", "three channels only"),
        (Careless, "test_an_unknown_precision_is_one_line", "accepted"),
        (ToyBackend, "test_a_model_that_is_not_there_is_one_line", "accepted"),
    ],
)
def test_a_breach_of_the_contract_fails(plugin: type[ToyBackend], test: str, line: str) -> None:
    class Broken(BackendContract):
        model = "toy"

    Broken.plugin = plugin
    with pytest.raises(AssertionError, match=line):
        getattr(Broken(), test)()

"""The contract that every backend keeps, as tests that an author of a plugin runs with pytest.

    from idia_index.testing import BackendContract
    from my_package import MyBackend

    class TestMyBackend(BackendContract):
        plugin = MyBackend
        model = "a SPEC that loads without a network"

The backends that come with idia-index pass the same tests. Nothing here needs pytest itself: every
method whose name begins with `test_` is one assertion about the plugin.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from idia_index.encode.embeddings import encode_texts
from idia_index.encode.image_embeddings import encode_images
from idia_index.errors import IdiaIndexError, InputError
from idia_index.plugins import BACKEND_DTYPES, BackendPlugin
from idia_index.types import Float32

TEXTS = ("a photo of Jane Doe", "Jane Doe", "a photo of Zoë Müller at a party", "an image of a man")
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "1")  # the modes that Pillow reads common files in


@cache
def _loaded(plugin: Callable[..., BackendPlugin], model: str) -> BackendPlugin:
    return plugin(model=model, device=None, dtype="float32")


def _image(mode: str, width: int, height: int) -> Image.Image:
    """An image in which neighbouring pixels differ little, as in photos."""
    across = np.linspace(0, 255, width)[None, :, None]
    down = np.linspace(255, 0, height)[:, None, None]
    pixels = np.broadcast_arrays(across, down, (across + down) / 2)
    return Image.fromarray(np.concatenate(pixels, axis=2).astype(np.uint8)).convert(mode)


class BackendContract:
    """Subclass it in a test file, and set what stands here.

    Attributes:
        plugin: the class that the entry point names.
        model: a SPEC that it loads.
        missing_model: a SPEC that it cannot load; None where it loads whatever it is given.
        tolerance: how much an embedding's coordinate may depend on what else is in the batch.
    """

    plugin: Callable[..., BackendPlugin]
    model: str
    missing_model: str | None = "no-such-model-anywhere"
    tolerance: float = 1e-5

    def backend(self) -> BackendPlugin:
        """The plugin with its model, loaded once for all tests."""
        return _loaded(type(self).plugin, self.model)

    def _texts(self, texts: tuple[str, ...]) -> Float32:
        return encode_texts(self.backend(), texts)

    def _images(self, images: list[Image.Image]) -> Float32:
        return encode_images(self.backend(), images)

    def _close(self, one: Float32, other: Float32, what: str) -> None:
        off = float(np.abs(one - other).max())
        assert off <= self.tolerance, f"{what}: embeddings differ by up to {off}"

    def test_it_says_what_it_is(self) -> None:
        backend = self.backend()
        for attribute in ("name", "model", "device"):
            value = getattr(backend, attribute)
            assert isinstance(value, str) and value, f"{attribute} is {value!r}"

    def test_the_fingerprint_identifies_the_model(self) -> None:
        mark = self.backend().fingerprint
        assert len(mark.weights_sha256) == 64, f"no SHA-256: {mark.weights_sha256!r}"
        int(mark.weights_sha256, 16)
        assert mark.precision in BACKEND_DTYPES, f"precision is {mark.precision!r}"
        again = type(self).plugin(model=self.backend().model, device=None, dtype="float32")
        assert again.fingerprint == mark, "the same model has another fingerprint the second time"

    def test_text_embeddings_have_the_dimension_of_the_fingerprint(self) -> None:
        rows = self._texts(TEXTS)
        assert rows.shape == (len(TEXTS), self.backend().fingerprint.dim), f"shape {rows.shape}"
        assert np.isfinite(rows).all(), "some numbers are not finite"

    def test_raw_text_embeddings_are_float32(self) -> None:
        if self.backend().text_tower is None:
            rows = self.backend().embed_texts(list(TEXTS))
            assert rows.dtype == np.float32, f"embed_texts gives {rows.dtype}"

    def test_raw_image_embeddings_are_float32(self) -> None:
        rows = self.backend().embed_images([_image("RGB", 40, 30)])
        assert rows.dtype == np.float32, f"embed_images gives {rows.dtype}"
        assert rows.shape == (1, self.backend().fingerprint.dim), f"shape {rows.shape}"

    def test_a_text_embedding_depends_on_its_text_alone(self) -> None:
        together = self._texts(TEXTS)
        self._close(self._texts(TEXTS[::-1])[::-1], together, "texts in another order")
        alone = np.concatenate([self._texts((text,)) for text in TEXTS])
        self._close(alone, together, "texts one at a time")

    def test_different_texts_have_different_embeddings(self) -> None:
        rows = self._texts(TEXTS)
        similar = rows @ rows.T - np.eye(len(TEXTS))
        assert similar.max() < 1 - 1e-6, "two different texts have the same embedding"

    def test_an_image_embedding_depends_on_its_image_alone(self) -> None:
        images = [_image("RGB", 40, 30), _image("RGB", 30, 60), _image("L", 64, 64)]
        together = self._images(images)
        self._close(self._images(images[::-1])[::-1], together, "images in another order")
        alone = np.concatenate([self._images([image]) for image in images])
        self._close(alone, together, "images one at a time")

    def test_images_of_every_mode_and_shape_are_embedded(self) -> None:
        for mode in MODES:
            assert np.isfinite(self._images([_image(mode, 40, 30)])).all(), f"mode {mode}"
        for width, height in ((1, 1), (3, 200), (500, 20)):
            rows = self._images([_image("RGB", width, height)])
            assert np.isfinite(rows).all(), f"an image of {width} x {height}"

    def test_an_image_is_left_as_it_was(self) -> None:
        image = _image("RGB", 40, 30)
        before = image.mode, image.size, image.tobytes()
        self.backend().embed_images([image])
        assert (image.mode, image.size, image.tobytes()) == before, "the image was changed"

    def test_a_text_past_the_context_length_is_refused(self) -> None:
        tower = self.backend().text_tower
        if tower is not None:
            try:
                self._texts(("word " * (tower.context_length + 1),))
            except InputError:
                return
            raise AssertionError("a text that is too long is cut in silence")

    def test_the_tokenizer_adds_no_special_tokens(self) -> None:
        tower = self.backend().text_tower
        if tower is not None:
            for text, tokens in zip(TEXTS, tower.tokenizer.encode(list(TEXTS)), strict=True):
                assert tokens, f"no tokens of {text!r}"
                special = {tower.tokenizer.start, tower.tokenizer.end} & set(tokens)
                assert not special, f"special tokens {special} in {text!r}"

    def test_a_model_that_is_not_there_is_one_line(self) -> None:
        if self.missing_model is not None:
            self._refused(model=self.missing_model, device=None, dtype="float32")

    def test_an_unknown_precision_is_one_line(self) -> None:
        self._refused(model=self.model, device=None, dtype="float7")

    def _refused(self, **keywords: str | None) -> None:
        try:
            type(self).plugin(**keywords)
        except IdiaIndexError as error:
            assert "\n" not in str(error), f"more than a line: {error}"
            return
        raise AssertionError(f"{keywords} is accepted")

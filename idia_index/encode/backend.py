"""A loaded model as programs use it: texts and images in, unit rows out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from idia_index.encode import embeddings, image_embeddings
from idia_index.encode.images import ImageSource
from idia_index.errors import InputError
from idia_index.plugins import BackendPlugin
from idia_index.support.text import shown
from idia_index.types import Fingerprint, Float32, ServiceRecord


class Encoder(BackendPlugin):
    """A plugin with its own `encode_*` methods, as the plugins of this package."""

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], unit rows, in the order of `texts`.

        Raises:
            InputError: `texts` is a single string, or a text exceeds the model's context length.
        """
        if isinstance(texts, str):
            raise InputError(f"encode_texts takes a list of texts: pass [{shown(texts)}]")
        return embeddings.encode_texts(self, texts)

    def encode_images(self, images: Sequence[ImageSource]) -> Float32:
        """Image embeddings float32 [n, D], unit rows, of paths or PIL images.

        Raises:
            InputError: `images` is a single image, or one of them cannot be read as an image.
        """
        if isinstance(images, str | os.PathLike | Image.Image):
            raise InputError("encode_images takes a list of images: pass [image]")
        return image_embeddings.encode_images(self, images)


# Attributes that a loaded model takes unchanged from its plugin.
_SAME = (
    "name", "model", "notes", "device", "asked_device", "engine", "text_tower", "logit_scale",
    "text_batch", "image_batch", "hosted", "wants_files", "image_workers", "image_threads",
    "check_texts", "expect_images", "announce", "recognise", "confirm",
)  # fmt: skip


class Backend(Encoder):
    """A loaded model, made by `load_backend`.

    It wraps a plugin and can be used wherever the plugin can.

    Attributes:
        name: the plugin that runs the model ("open_clip", "onnx", ...).
        model: the SPEC it was loaded from, local paths made absolute.
        notes: which files each setting was read from, and what is assumed, one line each.
        device: what it runs on ("cpu (2 threads)").
        plugin: the plugin itself.
    """

    def __init__(self, plugin: BackendPlugin) -> None:
        self.plugin = plugin
        for name in _SAME:
            setattr(self, name, getattr(plugin, name))

    def __repr__(self) -> str:
        return f"<Backend {self.name}: {self.model} on {self.device}>"

    @property
    def load_options(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Keywords, besides `model` and `device`, that load it the same way again."""
        return self.plugin.load_options

    @property
    def fingerprint(self) -> Fingerprint:
        """Exactly which model it is: architecture, SHA-256 of the weights, preprocessing, ..."""
        return self.plugin.fingerprint

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model sees of an image, after its own resizing and cropping."""
        return self.plugin.fit_image(image)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """The part of an image of this size that the model sees, as edges in its pixels."""
        return self.plugin.seen(width, height)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """The plugin's own vectors, not normalised."""
        return self.plugin.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """The plugin's own vectors, not normalised."""
        return self.plugin.embed_texts(texts)

    @property
    def service(self) -> ServiceRecord | None:
        """The requests made of a service so far; None if nothing leaves the machine."""
        return self.plugin.service

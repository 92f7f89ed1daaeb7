"""What a backend implements: texts and images in, raw vectors out.

A plugin's own part is small on purpose: tokenising into packs, normalising and checking happen
once for all of them, in `idia_index.encode`. What programs get is an `idia_index.Backend`, which
wraps a plugin and returns unit rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, Protocol

from PIL import Image

from idia_index.plugins.engine import Engine
from idia_index.support.concurrency import one_ahead
from idia_index.types import Fingerprint, Float32, Pack, ServiceRecord


class Tokenizer(Protocol):
    """Turns texts into tokens, without the two special tokens and without truncation."""

    @property
    def start(self) -> int:
        """Id of the start-of-text token."""
        ...

    @property
    def end(self) -> int:
        """Id of the end-of-text token."""
        ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, as the model's own tokenizer gives them."""
        ...


class PackTower(ABC):
    """A causal text tower, which runs packs (see `idia_index.types.Pack`).

    Attributes:
        tokenizer: the model's tokenizer.
        context_length: most tokens of a prompt, the two special tokens counted.
        pack_nodes: most nodes of one tree, as suits the device.
        pack_batch: trees computed at a time, as suits the device.
    """

    tokenizer: Tokenizer
    context_length: int
    pack_nodes: int = 256
    pack_batch: int = 1

    @abstractmethod
    def embed_pack(self, pack: Pack) -> Float32:
        """Text embeddings float32 [p, D] at `pack.reads`, not normalised."""

    def embed_packs(self, packs: Iterable[Pack]) -> Iterator[tuple[Pack, Float32]]:
        """Each pack with its text embeddings; the next is planned while one is computed.

        A tower that computes several packs at a time does so here; their order is free.
        """
        return ((pack, self.embed_pack(pack)) for pack in one_ahead(packs))


class BackendPlugin(ABC):
    """A model that embeds texts and images; a plugin subclasses it.

    The constructor takes `model` (the SPEC of the command line), `device` (None: the best
    there is) and `dtype` (a name of `BACKEND_DTYPES`), keywords all, and raises an
    `IdiaIndexError` for what it cannot load.

    Attributes:
        name: the plugin's name, as `--backend` takes it.
        model: the SPEC it was loaded from, local paths absolute, so that it loads anywhere.
        load_options: keywords beside `model` and `device` that load it the same way again.
        asked_device: the `device` that it was loaded with.
        engine: what runs its long jobs; None: this process.
        notes: what was taken from where to load it, a line each; one that begins with "assumed:"
            names what nothing states. They stand in the index, its reports and the terminal.
        device: what the model runs on, as people are shown it ("cpu (2 threads)").
        text_tower: the text tower where it is causal, so that texts go through packs; None
            sends whole texts to `embed_texts`.
        logit_scale: what the model multiplies cosine similarities by before a softmax over
            texts; None where that is not known.
        text_batch: texts of one call of `embed_texts`.
        hosted: whether texts and images leave the machine. The constructor then takes `session`,
            too, and sends nothing but what it allows; `--offline` refuses such a backend.
        wants_files: whether `info[ORIGINAL]` of an image shall hold the bytes of its file.
        service: what was asked of a service until now; None where nothing leaves the machine.
        image_batch: images of one call of `embed_images`; None: as suits the threads.
        image_workers: how many threads may call `embed_images` at a time. More than one, and
            each of them loads images as well as embedding them; with one, others load meanwhile.
    """

    name: str
    model: str
    load_options: Mapping[str, Any] = MappingProxyType({})
    asked_device: str | None = None
    engine: Engine | None = None
    notes: tuple[str, ...] = ()
    device: str
    text_tower: PackTower | None = None
    logit_scale: float | None = None
    text_batch: int = 256
    image_batch: int | None = None
    hosted: bool = False
    wants_files: bool = False
    image_workers: int = 1

    @property
    def service(self) -> ServiceRecord | None:
        """What was asked of a service until now; None where nothing leaves the machine."""
        return None

    @classmethod
    def self_test(cls) -> str:
        """Tries the backend's libraries, without a model, and says what they run on.

        Raises an `IdiaIndexError` that says what does not work. `idia-index doctor` shows both.
        """
        return "imports"

    @property
    @abstractmethod
    def fingerprint(self) -> Fingerprint:
        """What the model is, exactly."""

    @classmethod
    def calls(cls, model: str, texts: int, images: int) -> int | None:
        """Calls of a service that so many texts and images take; None where there is none."""
        return None

    def announce(self, texts: int, images: int, text_bytes: int) -> None:  # noqa: B027
        """Told, before the first is encoded, what a run will ask for at the most.

        A hosted backend says what that costs, and raises `RefusedError` where it may not send it.
        """

    def recognise(self, load_options: Mapping[str, Any]) -> None:  # noqa: B027
        """Told the `load_options` of the index that is searched or built further.

        A backend that knows its model by behaviour alone takes the behaviour noted there for its
        own where both agree within the noise, and raises `ModelError` where they do not.
        """

    def confirm(self) -> None:  # noqa: B027
        """Called after the last embedding of a run, before its results count.

        A hosted backend asks whether the model is still the same; raises `ServiceError` if not.
        """

    def expect_images(self, count: int) -> None:  # noqa: B027 (not every backend need)
        """Told that about `count` images are being read for `embed_images`.

        A backend may load what it needs for them meanwhile; it need not do anything.
        """

    def image_threads(self) -> AbstractContextManager[Callable[[], None]]:
        """Entered around the threads that call `fit_image` and `embed_images`; gives what each of
        them calls first."""
        return nullcontext(lambda: None)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model sees of an image: RGB, after its own resizing and cropping.

        `embed_images` gives the same for it as for the image, which is no longer kept. Called in
        threads. A backend that cannot say it returns the image as it is.

        Raises:
            InputError: the image cannot be prepared for the model.
        """
        return image

    def seen(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom of the part that `fit_image` shows of an image of `width` x
        `height`, in its pixels; None where the backend cannot say."""
        return None

    @abstractmethod
    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        The images come as `idia_index.encode.images.load_image` gives them: upright, in the mode of
        their file. Resizing before or after the conversion to RGB changes pixels, so a
        backend does both in the order that its model was trained with.
        """

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], not normalised.

        Called only without a `text_tower`. Raises `InputError` for a text past the context
        length: cutting it silently would answer for another prompt.
        """
        raise TypeError(f"backend {self.name!r} has neither a text_tower nor embed_texts")

    def check_texts(self, texts: Sequence[str]) -> bool:
        """Raises `InputError` for a text past the context length, without embedding any.

        False where only `embed_texts` can tell. Called only without a `text_tower`.
        """
        return False


BACKEND_DTYPES = ("float32", "float16", "bfloat16")
ORIGINAL = "original file"  # key of `Image.info`; see `BackendPlugin.wants_files`

"""What a backend implements: texts and images in, raw vectors out.

A plugin's own part is small by design: tokenising into packs, normalising and checking are done
for all of them in `idia_index.encode`. Programs use an `idia_index.Backend`, which wraps a plugin
and returns unit rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from PIL import Image

from idia_index.errors import InputError
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
        """Tokens of each text, exactly as the model's own tokenizer produces them."""
        ...


class PackTower(ABC):
    """A causal text tower, which runs packs (see `idia_index.types.Pack`).

    Attributes:
        tokenizer: the model's tokenizer.
        context_length: maximum number of tokens of a prompt, including the two special tokens.
        pack_nodes: maximum number of nodes of a tree, chosen for the device.
        pack_batch: number of trees computed at a time, chosen for the device.
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

    The constructor takes the keyword arguments `model` (the SPEC of the command line), `device`
    (None: the fastest available) and `dtype` (one of `BACKEND_DTYPES`), and raises an
    `IdiaIndexError` if it cannot load the model.

    Attributes:
        name: the plugin's name, as in `--backend`.
        model: the SPEC it was loaded from, local paths made absolute, so that it loads anywhere.
        load_options: keywords, besides `model` and `device`, that load it the same way again.
        asked_device: the `device` that was requested.
        engine: what runs its long jobs; None: this process.
        notes: which files each setting was read from, one line each; a line that begins with
            "assumed:" names a setting that nothing states. They appear in the index, its reports
            and the terminal.
        device: what the model runs on, as shown to users ("cpu (2 threads)").
        text_tower: the text tower if it is causal, so that texts go through packs; with None,
            whole texts are passed to `embed_texts`.
        logit_scale: factor by which the model multiplies cosine similarities before a softmax over
            texts; None if unknown.
        text_batch: number of texts per call of `embed_texts`.
        hosted: whether texts and images leave the machine. The constructor then also takes
            `session` and sends only what it permits; `--offline` refuses such a backend.
        wants_files: whether `info[ORIGINAL]` of an image should hold the bytes of its file.
        service: the requests made to a service so far; None if nothing leaves the machine.
        image_batch: number of images per call of `embed_images`; None: chosen for the threads.
        image_workers: number of threads that may call `embed_images` at a time. If more than one,
            each of them loads images as well as embedding them; if one, other threads load.
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
        """The requests made to a service so far; None if nothing leaves the machine."""
        return None

    @classmethod
    def self_test(cls) -> str:
        """Tests the backend's libraries, without a model, and returns what they run on.

        Raises an `IdiaIndexError` that says what does not work. `idia-index doctor` shows either.
        """
        return "imports"

    @property
    @abstractmethod
    def fingerprint(self) -> Fingerprint:
        """Exactly which model it is."""

    @classmethod
    def calls(cls, model: str, texts: int, images: int) -> int | None:
        """Number of service calls for so many texts and images; None if it calls no service."""
        return None

    def announce(self, texts: int, images: int, text_bytes: int) -> None:  # noqa: B027
        """Called before anything is encoded with the most that a run will request.

        A hosted backend states the cost, and raises `RefusedError` if it may not send that.
        """

    def recognise(self, load_options: Mapping[str, Any]) -> None:  # noqa: B027
        """Called with the `load_options` of the index that is searched or extended.

        A backend that identifies its model only by behaviour adopts the behaviour recorded there
        if the two agree within the noise, and raises `ModelError` if they do not.
        """

    def confirm(self) -> None:  # noqa: B027
        """Called after the last embedding of a run, before its results count.

        A hosted backend checks that the model is still the same, and raises `ServiceError` if not.
        """

    def expect_images(self, count: int) -> None:  # noqa: B027 (not every backend need)
        """Called when about `count` images are being read for `embed_images`.

        A backend may use the time to load what it needs for them.
        """

    def image_threads(self) -> AbstractContextManager[Callable[[], None]]:
        """Context of the threads that call `fit_image` and `embed_images`; yields what each of them
        calls first."""
        return nullcontext(lambda: None)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model sees of an image: RGB, after its own resizing and cropping.

        `embed_images` returns the same for it as for the original, which is then dropped. Called in
        threads. A backend that cannot do this returns the image unchanged.

        Raises:
            InputError: the image cannot be prepared for the model.
        """
        return image

    def seen(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom, in pixels, of the part that `fit_image` keeps of an image of
        `width` x `height`; None if the backend does not know."""
        return None

    @abstractmethod
    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        The images are as returned by `idia_index.encode.images.load_image`: upright, in the mode
        of their file. Whether they are resized before or after conversion to RGB changes pixels,
        so a backend does both in the order that its model was trained with.
        """

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], not normalised.

        Called only without a `text_tower`. Raises `InputError` for a text that exceeds the context
        length: truncating it silently would answer for a different prompt.
        """
        raise TypeError(f"backend {self.name!r} has neither a text_tower nor embed_texts")

    def check_texts(self, texts: Sequence[str]) -> bool:
        """Raises `InputError` for a text that exceeds the context length, without embedding any.

        Returns False if only `embed_texts` can tell. Called only without a `text_tower`.
        """
        return False


BACKEND_DTYPES = ("float32", "float16", "bfloat16")
ORIGINAL = "original file"  # key of `Image.info`; see `BackendPlugin.wants_files`


@dataclass(frozen=True)
class Session:
    """What may leave the machine, with which key, and at what price.

    Attributes:
        texts_to: hosts to which texts may be sent, as in `--send-texts-to`.
        images_to: hosts to which images may be sent, as in `--send-images-to`.
        key_from: the environment variable that holds the API key; None: no key.
        max_calls: maximum number of requests, including retries and probes; None: no limit.
        timeout: time limit for one request in seconds, from its first byte to its last.
        concurrency: number of requests in flight at a time.
        send_original: send image files unchanged instead of only what the model reads of them.
        accept_truncation: accept embeddings of texts that the service may have truncated.
        folder: where answers are cached so that none is paid for twice; None: nowhere.
    """

    texts_to: tuple[str, ...] = ()
    images_to: tuple[str, ...] = ()
    key_from: str | None = None
    max_calls: int | None = None
    timeout: float = 120.0
    concurrency: int = 4
    send_original: bool = False
    accept_truncation: bool = False
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.timeout <= 0 or not 1 <= self.concurrency <= 64:
            raise InputError(
                f"--timeout {self.timeout:g}, --concurrency {self.concurrency}: pass a timeout "
                "above 0 and a concurrency of 1 to 64"
            )

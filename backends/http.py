"""The http backend: a model that can only be asked, by one of the interfaces of embeddings.

Nothing is sent that the session does not allow by the host's name, but for fixed probes, which
say what it is that answers (`http_probes`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from idia_index.backends.http_asker import Asker
from idia_index.backends.http_dialects import load_dialect
from idia_index.backends.http_identity import Identity, fit_to, png
from idia_index.backends.http_probes import MOST_TRIALS, ROUNDS, TEXTS
from idia_index.backends.http_spec import parse_endpoint
from idia_index.encode.backend import Encoder
from idia_index.encode.image_cache import ANSWERS, ImageCache
from idia_index.encode.preprocessing import MAX_SIDE
from idia_index.errors import InputError, ModelError, RefusedError, ServiceError
from idia_index.plugins import ORIGINAL, Session
from idia_index.support.files import private_folder
from idia_index.support.text import counted
from idia_index.types import Fingerprint, Float32, ServiceRecord

_DRAWN = 8


class HttpBackend(Encoder):
    """A model behind an HTTP interface.

    Args:
        model: SPEC, `DIALECT+https://HOST[:PORT]/#MODEL`.
        device: None: the service has its own.
        dtype: "float32", what embeddings are taken as.
        session: what may be sent there, with which key.
        image_size: side of the square that the model reads of an image: images are fitted here
            and no more is sent. None: images are sent whole.
        behaviour: what the index's manifest notes of the model; see `recognise`.

    Raises:
        InputError: no such dialect, or nothing may be sent there.
    """

    name = "http"
    hosted = True

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str = "float32",
        session: Session | None = None,
        image_size: int | None = None,
        behaviour: Mapping[str, Any] | None = None,
    ) -> None:
        self._session = session or Session()
        self._endpoint = parse_endpoint(model)
        self._dialect = load_dialect(self._endpoint.dialect)
        self.model = self._endpoint.text
        if dtype != "float32" or device is not None:
            raise InputError(
                f"{self.model}: the service computes as it does, and its answers are taken as "
                "float32; leave out --dtype and --device"
            )
        if image_size is not None and not 1 <= image_size <= MAX_SIDE:
            raise InputError(f"--image-size {image_size}: pass 1 to {MAX_SIDE}")
        self._endpoint.check_any(self._session)
        self.device = f"a service at {self._endpoint.host}"
        self.wants_files = self._session.send_original
        self._fit = None if image_size is None else fit_to(image_size)
        self._options: dict[str, Any] = {}
        self._good = 0  # bytes of answers that were there when the model was last the same
        self._asker = Asker(self._endpoint, self._dialect, self._session)
        self._identity = Identity(self._endpoint, self._dialect, self._asker, self._fit, behaviour)
        self.text_batch = self._dialect.most["text"] * self._session.concurrency
        self.image_batch = self._dialect.most["image"] * self._session.concurrency
        self.notes = self._notes(image_size)

    def _notes(self, image_size: int | None) -> tuple[str, ...]:
        sent = "as their files are" if self._session.send_original else (
            "whole, as PNG without metadata; --image-size says what the model reads of them"
            if image_size is None
            else f"fitted to {image_size} x {image_size}, as PNG without metadata"
        )  # fmt: skip
        cut = "assumed: texts that the service cuts were meant to be cut (--accept-truncation)"
        known = f"service: {self._endpoint.url}; images are sent {sent}"
        return (known, cut) if self._session.accept_truncation else (known,)

    @classmethod
    def calls(cls, model: str, texts: int, images: int) -> int:
        """The most requests needed for so many texts and images, including a build's probes."""
        most = load_dialect(parse_endpoint(model).dialect).most
        probe = _calls(len(TEXTS), most["text"]) + _calls(_DRAWN, most["image"])
        # In halves once, again at the end, what is cut, and what the service says of itself.
        fixed = probe * (ROUNDS + 1) + 2 + MOST_TRIALS * _calls(2, most["text"]) + 1
        # Texts near the length that the service reads are sent once more, with a tail.
        return _calls(2 * texts, most["text"]) + _calls(images, most["image"]) + fixed

    @property
    def load_options(self) -> Mapping[str, Any]:
        """The options it was given, and what its model is known by."""
        return {**self._options, "behaviour": self._identity.behaviour}

    @load_options.setter
    def load_options(self, options: Mapping[str, Any]) -> None:
        self._options = {key: value for key, value in options.items() if key != "behaviour"}

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is, as far as its behaviour tells."""
        return self._identity.fingerprint

    @property
    def service(self) -> ServiceRecord:
        """What was asked of the service until now."""
        client, tally, noise = self._asker.client, self._asker.tally, self._identity.noise
        return ServiceRecord(
            endpoint=self._endpoint.url,
            model=self._endpoint.model,
            says=self._identity.behaviour["says"],
            checked=tuple(self._identity.checked),
            noise=noise,
            tolerance=4 * noise,  # two similarities, each of two rows that are off by the noise
            calls=client.made,
            repeated=client.repeated,
            remembered=tally.remembered,
            sent=tuple(tally.sent.values()),
        )

    def announce(self, texts: int, images: int, text_bytes: int) -> None:
        """States the maximum cost of a run, and refuses what may not be sent or costs more."""
        for kind, count in (("text", texts), ("image", images)):
            if count:
                self._endpoint.check(kind, self._session)
        calls, limit = self.calls(self.model, texts, images), self._session.max_calls
        if self._identity.is_noted:  # then probes are asked for once now, and once at the end
            calls += self.calls(self.model, 0, 0) // -2
        size = f" ({text_bytes:,} bytes)" if texts else ""
        side = "" if self._fit is None else f" of at most {3 * self._fit.height**2 + 4096:,} bytes"
        tails = " (those near the length that it reads twice)" if texts else ""
        said = (
            f"{self._endpoint.host} will be sent at most {counted(texts, 'text')}{size}{tails} and "
            f"{counted(images, 'image')}{side if images else ''}, in {counted(calls, 'call')} with "
            "the fixed probes; earlier answers are not requested again"
        )
        warnings.warn(said, stacklevel=2)
        if limit is not None and calls > limit and self._answers_none():
            raise RefusedError(
                f"--max-calls {limit}: this takes up to {counted(calls, 'call')}; allow as many, "
                "or ask for less"
            )

    def _answers_none(self) -> bool:
        """Whether nothing is remembered that would make a run cost less than announced."""
        folder = self._session.folder
        return folder is None or not (folder / ANSWERS).is_file()

    def recognise(self, load_options: Mapping[str, Any]) -> None:
        """Takes the behaviour that an index notes for its own, where both agree."""
        self._identity.recognise(load_options)

    def confirm(self) -> None:
        """Asks for the probes again; forgets what was answered since they last agreed.

        Raises:
            ServiceError: the model is another one.
        """
        try:
            self._identity.confirm()
        except ModelError as error:
            self._cache.forget(self._good)
            raise ServiceError(str(error)) from error
        self._good = self._cache.size()

    @cached_property
    def _cache(self) -> ImageCache:
        folder = self._session.folder
        if folder is not None:
            private_folder(folder)
        cache = ImageCache(folder, self.fingerprint, self.name, ANSWERS)
        self._good = cache.size()
        return cache

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D].

        Raises:
            RefusedError: texts may not be sent there.
            InputError: the service cuts one of them.
            ServiceError: the service does not answer as it must.
        """
        self._endpoint.check("text", self._session)
        rows = self._texts(texts)
        if not self._session.accept_truncation:
            self._identity.check_whole(self._texts, texts)
        return rows

    def _texts(self, texts: Sequence[str]) -> Float32:
        return self._asker.rows("text", [text.encode("utf-8") for text in texts], self._cache)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model reads of an image, where that is known and not its file is sent."""
        return image if self._fit is None or self.wants_files else self._fit.fitted(image)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D].

        Raises:
            ServiceError: images may not be sent there, or the service does not answer as it must.
        """
        if not images:
            return np.empty((0, self.fingerprint.dim), np.float32)
        try:
            self._endpoint.check("image", self._session)
        except RefusedError as error:  # no fault of an image
            raise ServiceError(str(error)) from error
        return self._asker.rows("image", [self._as_sent(image) for image in images], self._cache)

    def _as_sent(self, image: Image.Image) -> bytes:
        """What the model reads of an image, as PNG without metadata; or its file."""
        if self._session.send_original:
            original = image.info.get(ORIGINAL)
            if not isinstance(original, bytes):
                raise InputError("--send-original: an image that was given decoded has no file")
            return original
        return png(image if self._fit is None else self._fit.fitted(image))


def _calls(items: int, most: int) -> int:
    return math.ceil(items / most)

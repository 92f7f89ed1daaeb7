"""The http backend: embeddings from a hosted model that can only be queried.

Nothing is sent unless the session allows it by host name, except the fixed probes that identify
the model (`http_probes`).
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
        device: must be None: the service chooses its own.
        dtype: must be "float32".
        session: what may be sent, and with which key.
        image_size: side of the square that the model reads of an image: images are cropped and
            scaled to it before they are sent. None: they are sent whole.
        behaviour: the model's behaviour in the index's manifest; see `recognise`.

    Raises:
        InputError: an unknown dialect, or nothing may be sent.
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
                f"{self.model}: a service chooses its own device and precision; omit --dtype and "
                "--device"
            )
        if image_size is not None and not 1 <= image_size <= MAX_SIDE:
            raise InputError(f"--image-size {image_size}: pass 1 to {MAX_SIDE}")
        self._endpoint.check_any(self._session)
        self.device = f"a service at {self._endpoint.host}"
        self.wants_files = self._session.send_original
        self._fit = None if image_size is None else fit_to(image_size)
        self._options: dict[str, Any] = {}
        self._good = 0  # bytes of answers cached when the model was last confirmed
        self._asker = Asker(self._endpoint, self._dialect, self._session)
        self._identity = Identity(self._endpoint, self._dialect, self._asker, self._fit, behaviour)
        self.text_batch = self._dialect.most["text"] * self._session.concurrency
        self.image_batch = self._dialect.most["image"] * self._session.concurrency
        self.notes = self._notes(image_size)

    def _notes(self, image_size: int | None) -> tuple[str, ...]:
        sent = "as original files" if self._session.send_original else (
            "whole, as PNG without metadata; --image-size sends only what the model reads"
            if image_size is None
            else f"fitted to {image_size} x {image_size}, as PNG without metadata"
        )  # fmt: skip
        cut = "assumed: texts may be truncated by the service (--accept-truncation)"
        known = f"service: {self._endpoint.url}; images are sent {sent}"
        return (known, cut) if self._session.accept_truncation else (known,)

    @classmethod
    def calls(cls, model: str, texts: int, images: int) -> int:
        """The maximum number of requests for texts and images, including a build's probes."""
        most = load_dialect(parse_endpoint(model).dialect).most
        probe = _calls(len(TEXTS), most["text"]) + _calls(_DRAWN, most["image"])
        # The probes once in halves and once at the end, truncation trials, a self-description.
        fixed = probe * (ROUNDS + 1) + 2 + MOST_TRIALS * _calls(2, most["text"]) + 1
        # self-description. Texts near the length it reads are sent once more, with a tail.
        return _calls(2 * texts, most["text"]) + _calls(images, most["image"]) + fixed

    @property
    def load_options(self) -> Mapping[str, Any]:
        """The options given, and the model's behaviour."""
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
        """The requests made of the service so far."""
        client, tally, noise = self._asker.client, self._asker.tally, self._identity.noise
        return ServiceRecord(
            endpoint=self._endpoint.url,
            model=self._endpoint.model,
            says=self._identity.behaviour["says"],
            checked=tuple(self._identity.checked),
            noise=noise,
            tolerance=4 * noise,  # two similarities, each of two rows with this noise
            calls=client.made,
            repeated=client.repeated,
            remembered=tally.remembered,
            sent=tuple(tally.sent.values()),
        )

    def announce(self, texts: int, images: int, text_bytes: int) -> None:
        """States the maximum cost of a run; refuses one that is not allowed or costs too much."""
        for kind, count in (("text", texts), ("image", images)):
            if count:
                self._endpoint.check(kind, self._session)
        calls, limit = self.calls(self.model, texts, images), self._session.max_calls
        if self._identity.is_noted:  # then the probes run once now and once at the end
            calls += self.calls(self.model, 0, 0) // -2
        size = f" ({text_bytes:,} bytes)" if texts else ""
        side = "" if self._fit is None else f" of at most {3 * self._fit.height**2 + 4096:,} bytes"
        tails = " (twice if near the length that it reads)" if texts else ""
        said = (
            f"{self._endpoint.host} will be sent at most {counted(texts, 'text')}{size}{tails} and "
            f"{counted(images, 'image')}{side if images else ''}, in {counted(calls, 'call')} with "
            "the fixed probes; earlier answers are not requested again"
        )
        warnings.warn(said, stacklevel=2)
        if limit is not None and calls > limit and self._answers_none():
            raise RefusedError(
                f"--max-calls {limit}: this takes up to {counted(calls, 'call')}; raise the limit, "
                "or use fewer names, templates or images"
            )

    def _answers_none(self) -> bool:
        """Whether no answer is cached, so that the announced maximum is exact."""
        folder = self._session.folder
        return folder is None or not (folder / ANSWERS).is_file()

    def recognise(self, load_options: Mapping[str, Any]) -> None:
        """Adopts the behaviour that an index records, if it agrees with what was seen."""
        self._identity.recognise(load_options)

    def confirm(self) -> None:
        """Repeats the probes; if they differ, discards all answers since they last agreed.

        Raises:
            ServiceError: the model has changed.
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
            RefusedError: texts may not be sent.
            InputError: the service truncates one of them.
            ServiceError: no valid answer from the service.
        """
        self._endpoint.check("text", self._session)
        rows = self._texts(texts)
        if not self._session.accept_truncation:
            self._identity.check_whole(self._texts, texts)
        return rows

    def _texts(self, texts: Sequence[str]) -> Float32:
        return self._asker.rows("text", [text.encode("utf-8") for text in texts], self._cache)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model reads of an image, if that is known and files are not sent."""
        return image if self._fit is None or self.wants_files else self._fit.fitted(image)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D].

        Raises:
            ServiceError: images may not be sent, or no valid answer from the service.
        """
        if not images:
            return np.empty((0, self.fingerprint.dim), np.float32)
        try:
            self._endpoint.check("image", self._session)
        except RefusedError as error:  # not the image's fault
            raise ServiceError(str(error)) from error
        return self._asker.rows("image", [self._as_sent(image) for image in images], self._cache)

    def _as_sent(self, image: Image.Image) -> bytes:
        """The bytes to send: what the model reads, as PNG without metadata, or the file itself."""
        if self._session.send_original:
            original = image.info.get(ORIGINAL)
            if not isinstance(original, bytes):
                raise InputError("--send-original: a decoded image has no file; pass paths")
            return original
        return png(image if self._fit is None else self._fit.fitted(image))


def _calls(items: int, most: int) -> int:
    return math.ceil(items / most)

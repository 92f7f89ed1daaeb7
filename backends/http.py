"""The http backend: a model that can only be asked, by one of the interfaces of embeddings.

Nothing is sent that the session does not allow by the host's name, but for fixed probes, which
say what it is that answers (`http_probes`).
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from idia_index.backends.http_asker import Asker
from idia_index.backends.http_dialects import load_dialect
from idia_index.backends.http_images import png
from idia_index.backends.http_probes import (
    FLOOR,
    MOST_TRIALS,
    ROUNDS,
    TEXTS,
    Behaviour,
    observe,
    size_in_words,
    tail_counts,
    words_read,
)
from idia_index.backends.http_spec import parse_endpoint
from idia_index.encode.backend import Encoder
from idia_index.encode.image_cache import ANSWERS, ImageCache
from idia_index.encode.preprocessing import MAX_SIDE, Preprocessing
from idia_index.errors import InputError, ModelError, RefusedError, ServiceError
from idia_index.plugins import ORIGINAL, Session
from idia_index.support.files import private_folder
from idia_index.support.text import counted, shown
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
            raise InputError(f"--image-size {image_size}: give 1 to {MAX_SIDE}")
        self._endpoint.check_any(self._session)
        self.device = f"a service at {self._endpoint.host}"
        self.wants_files = self._session.send_original
        self._fit = None if image_size is None else _fit(image_size)
        self._options: dict[str, Any] = {}
        self._known = behaviour
        self._checked: list[str] = []
        self._good = 0  # bytes of answers that were there when the model was last the same
        self._asker = Asker(self._endpoint, self._dialect, self._session)
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
        """Requests that so many texts and images take at the most, with a build's probes."""
        most = load_dialect(parse_endpoint(model).dialect).most
        probe = _calls(len(TEXTS), most["text"]) + _calls(_DRAWN, most["image"])
        # In halves once, again at the end, what is cut, and what the service says of itself.
        fixed = probe * (ROUNDS + 1) + 2 + MOST_TRIALS * _calls(2, most["text"]) + 1
        # Texts near the length that the service reads are sent once more, with a tail.
        return _calls(2 * texts, most["text"]) + _calls(images, most["image"]) + fixed

    @property
    def load_options(self) -> Mapping[str, Any]:
        """The options it was given, and what its model is known by."""
        return {**self._options, "behaviour": self.behaviour}

    @load_options.setter
    def load_options(self, options: Mapping[str, Any]) -> None:
        self._options = {key: value for key, value in options.items() if key != "behaviour"}

    @cached_property
    def behaviour(self) -> Mapping[str, Any]:
        """What the model is known by, as a manifest keeps it; asked for when first needed."""
        rounds = ROUNDS if self._known is None else 1
        seen = observe(self._probe_texts, self._probe_images, rounds)
        if self._known is not None:
            self._compare(self._known, seen)
            return self._known
        apart = 4 * seen.noise + FLOOR
        try:
            words = words_read(self._probe_texts, apart)
        except ServiceError:  # it refuses texts that are too long, and so cuts none in silence
            words = None
        about = (
            self._asker.client.get(self._dialect.about_path) if self._dialect.about_path else None
        )
        self._checked.append(_now())
        return {
            "sums": seen.text, "noise": seen.noise, "dim": seen.dim, "words": words,
            "says": self._about(about), "endpoint": self._endpoint.url,
            "model": self._endpoint.model, "asked": self._checked[0],
        }  # fmt: skip

    def _about(self, answer: Any) -> str:
        try:
            return " ".join(self._dialect.about(answer, self._endpoint.model).split())[:300]
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
            return ""

    def _compare(self, known: Mapping[str, Any], seen: Behaviour) -> None:
        """Raises ModelError unless what was seen is what is known, within the noise."""
        before = _read(known)
        apart = before.apart(seen)
        if apart > before.allowed:
            since = self._checked[-1] if self._checked else str(known.get("asked"))
            raise ModelError(
                f"{self._endpoint.url}: the model changed between {shown(since)} and {_now()}: its "
                f"answers to the fixed probes differ by {apart:.2g}, where {before.allowed:.2g} is "
                "noise; take the service that the index was built with, or build again"
            )
        self._checked.append(_now())

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is, as far as its behaviour tells."""
        known = self.behaviour
        of = [
            self._endpoint.dialect,
            *(known[key] for key in ("endpoint", "model", "says", "sums")),
        ]
        words = known["words"]
        return Fingerprint(
            architecture=f"{self._endpoint.dialect}: {known['model'] or 'its only model'}",
            weights_sha256=hashlib.sha256(json.dumps(of).encode()).hexdigest(),
            tokenizer="of the service"
            + ("" if words is None else f", reads at least {words} short words"),
            preprocessing="of the service",
            activation="of the service",
            dim=int(known["dim"]),
            precision="float32",
        )

    @property
    def service(self) -> ServiceRecord:
        """What was asked of the service until now."""
        known, client, tally = self.behaviour, self._asker.client, self._asker.tally
        noise = float(known["noise"])
        return ServiceRecord(
            endpoint=self._endpoint.url,
            model=self._endpoint.model,
            says=known["says"],
            checked=tuple(self._checked),
            noise=noise,
            tolerance=4 * noise,  # two similarities, each of two rows that are off by the noise
            calls=client.made,
            repeated=client.repeated,
            remembered=tally.remembered,
            sent=tuple(tally.sent.values()),
        )

    def announce(self, texts: int, images: int, text_bytes: int) -> None:
        """Says what a run costs at the most, and refuses what may not be sent or costs more."""
        for kind, count in (("text", texts), ("image", images)):
            if count:
                self._endpoint.check(kind, self._session)
        calls, limit = self.calls(self.model, texts, images), self._session.max_calls
        if self._known is not None:  # then probes are asked for once now, and once at the end
            calls += self.calls(self.model, 0, 0) // -2
        size = f" ({text_bytes:,} bytes)" if texts else ""
        side = "" if self._fit is None else f" of at most {3 * self._fit.height**2 + 4096:,} bytes"
        tails = " (those near the length that it reads twice)" if texts else ""
        said = (
            f"{self._endpoint.host} will be sent at most {counted(texts, 'text')}{size}{tails} and "
            f"{counted(images, 'image')}{side if images else ''}, in {counted(calls, 'call')} with "
            "the fixed probes; what it answered before is not asked again"
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
        known = load_options.get("behaviour")
        if not isinstance(known, Mapping) or known == self.__dict__.get("behaviour", self._known):
            return
        if "behaviour" in self.__dict__:  # asked for by itself already
            self._compare(known, _read(self.behaviour))
            self.__dict__["behaviour"] = known
        self._known = known

    def confirm(self) -> None:
        """Asks for the probes again; forgets what was answered since they last agreed.

        Raises:
            ServiceError: the model is another one.
        """
        try:
            self._compare(self.behaviour, observe(self._probe_texts, self._probe_images, 1))
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
        words = self.behaviour["words"]
        if words is not None and not self._session.accept_truncation:
            near = [text for text in texts if size_in_words(text) > words]
            self._check_whole(near, words)
        return rows

    def _check_whole(self, texts: Sequence[str], words: int) -> None:
        if not texts:
            return
        apart = 4 * float(self.behaviour["noise"]) + FLOOR
        for text, whole in zip(texts, tail_counts(self._texts, texts, apart), strict=True):
            if not whole:
                raise InputError(
                    f"{shown(text, 200)}: the service cuts it, or reads no word more (it reads "
                    f"about {words} short words); shorten it, or give --accept-truncation"
                )

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

    def _probe_texts(self, texts: Sequence[str]) -> Float32:
        return self._asker.rows("text", [text.encode("utf-8") for text in texts])

    def _probe_images(self, images: Sequence[Image.Image]) -> Float32:
        fit = self._fit
        fitted = images if fit is None else [fit.fitted(image) for image in images]
        return self._asker.rows("image", [png(image) for image in fitted])


def _fit(side: int) -> Preprocessing:
    return Preprocessing(side, side, mean=(0.0,) * 3, std=(1.0,) * 3)


def _read(known: Mapping[str, Any]) -> Behaviour:
    """What a manifest notes; raises ModelError where it notes no behaviour."""
    try:
        return Behaviour.read(known["sums"], float(known["noise"]), int(known["dim"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the index's load_options hold no behaviour of a model ({error}); build it again"
        ) from error


def _calls(items: int, most: int) -> int:
    return math.ceil(items / most)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

"""Identifies a hosted model by its behaviour, recorded at the build and compared ever after."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from PIL import Image

from idia_index.backends.http_asker import Asker
from idia_index.backends.http_dialects import Dialect
from idia_index.backends.http_probes import (
    FLOOR,
    ROUNDS,
    Behaviour,
    EmbedTexts,
    observe,
    size_in_words,
    tail_counts,
    words_read,
)
from idia_index.backends.http_spec import Endpoint
from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import InputError, ModelError, ServiceError
from idia_index.support.text import shown
from idia_index.types import Fingerprint, Float32


class Identity:
    """A hosted model's identity: its answers to the fixed probes.

    Args:
        endpoint: the service.
        dialect: its request format.
        asker: sends the requests.
        fit: what the model reads of an image; None: images are sent whole.
        known: the behaviour in an index's manifest; None: observed when first needed.

    Attributes:
        checked: when the probes last agreed, UTC.
    """

    def __init__(
        self, endpoint: Endpoint, dialect: Dialect, asker: Asker, fit: Preprocessing | None,
        known: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        self._endpoint, self._dialect, self._asker, self._fit = endpoint, dialect, asker, fit
        self._known = known
        self.checked: list[str] = []

    @property
    def is_noted(self) -> bool:
        """Whether an index records the behaviour, so that it need only be compared."""
        return self._known is not None

    @cached_property
    def behaviour(self) -> Mapping[str, Any]:
        """The model's behaviour, as a manifest stores it."""
        seen = self._seen(1 if self.is_noted else ROUNDS)
        if self._known is not None:
            self._compare(self._known, seen)
            return self._known
        apart = 4 * seen.noise + FLOOR
        try:
            words = words_read(self._probe_texts, apart)
        except ServiceError:  # it refuses overlong texts, so it truncates none silently
            words = None
        about = (
            self._asker.client.get(self._dialect.about_path) if self._dialect.about_path else None
        )
        self.checked.append(_now())
        return {
            "sums": seen.text, "noise": seen.noise, "dim": seen.dim, "words": words,
            "says": self._about(about), "endpoint": self._endpoint.url,
            "model": self._endpoint.model, "asked": self.checked[0],
        }  # fmt: skip

    @property
    def noise(self) -> float:
        """The largest difference between embeddings of the same input."""
        return float(self.behaviour["noise"])

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

    def recognise(self, load_options: Mapping[str, Any]) -> None:
        """Adopts the behaviour that an index records, if it agrees with what was seen."""
        known = load_options.get("behaviour")
        if not isinstance(known, Mapping) or known == self.__dict__.get("behaviour", self._known):
            return
        if "behaviour" in self.__dict__:  # already observed
            self._compare(known, _read(self.behaviour))
            self.__dict__["behaviour"] = known
        self._known = known

    def confirm(self) -> None:
        """Repeats the probes; raises ModelError if the answers differ."""
        self._compare(self.behaviour, self._seen(1))

    def check_whole(self, embed: EmbedTexts, texts: Sequence[str]) -> None:
        """Tests texts near the length that the service reads by adding a tail.

        Raises:
            InputError: the service truncates one of them.
        """
        words = self.behaviour["words"]
        near = [] if words is None else [text for text in texts if size_in_words(text) > words]
        if not near:
            return
        apart = 4 * self.noise + FLOOR
        for text, whole in zip(near, tail_counts(embed, near, apart), strict=True):
            if not whole:
                raise InputError(
                    f"{shown(text, 200)}: the service may truncate it (it reads about {words} "
                    "short words); shorten it, or pass --accept-truncation"
                )

    def _compare(self, known: Mapping[str, Any], seen: Behaviour) -> None:
        """Raises ModelError unless the behaviour seen is the known one, within the noise."""
        before = _read(known)
        apart = before.apart(seen)
        if apart > before.allowed:
            since = self.checked[-1] if self.checked else str(known.get("asked"))
            raise ModelError(
                f"{self._endpoint.url}: the model changed between {shown(since)} and {_now()}: its "
                f"answers to the fixed probes differ by {apart:.2g}, the noise is at most "
                f"{before.allowed:.2g}; use the service that the index was built with, or rebuild "
                "the index"
            )
        self.checked.append(_now())

    def _about(self, answer: Any) -> str:
        try:
            return " ".join(self._dialect.about(answer, self._endpoint.model).split())[:300]
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
            return ""

    def _seen(self, rounds: int) -> Behaviour:
        return observe(self._probe_texts, self._probe_images, rounds)

    def _probe_texts(self, texts: Sequence[str]) -> Float32:
        return self._asker.rows("text", [text.encode("utf-8") for text in texts])

    def _probe_images(self, images: Sequence[Image.Image]) -> Float32:
        fit = self._fit
        fitted = images if fit is None else [fit.fitted(image) for image in images]
        return self._asker.rows("image", [png(image) for image in fitted])


def _read(known: Mapping[str, Any]) -> Behaviour:
    """The behaviour in a manifest; raises ModelError if there is none."""
    try:
        return Behaviour.read(known["sums"], float(known["noise"]), int(known["dim"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the index's load_options record no model behaviour ({error}); rebuild the index"
        ) from error


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def fit_to(side: int) -> Preprocessing:
    """Scales and crops images to a square of `size` pixels, as CLIP's preprocessing does."""
    return Preprocessing(side, side, mean=(0.0,) * 3, std=(1.0,) * 3)


def png(image: Image.Image) -> bytes:
    """An image in RGB as PNG, without metadata."""
    bare = image.convert("RGB")
    bare.info = {}
    out = io.BytesIO()
    bare.save(out, "PNG")
    return out.getvalue()

"""A labeler for Hugging Face's zero-shot image classification over HTTP."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Literal

from PIL import Image

from idia_index.backends.http_client import Client
from idia_index.backends.http_identity import png
from idia_index.backends.http_spec import parse_endpoint
from idia_index.errors import InputError, RefusedError, ServiceError
from idia_index.plugins import Session
from idia_index.plugins.labeler import LabelerPlugin, Questions
from idia_index.support.text import counted
from idia_index.types import Sent, ServiceRecord

_LABEL_BYTES = 512  # of an answer to one label


class ZeroShotLabeler(LabelerPlugin):
    """A service that classifies an image among labels; its template is set to the bare label.

    Args:
        model: `zero-shot+https://HOST[:PORT][/PATH]#MODEL`, the exact URL of the requests.
        session: what may be sent, and with which key.
        most_labels: maximum labels of a request; None: unlimited.
    """

    name = "zero-shot"
    hosted = True

    def __init__(
        self, *, model: str, session: Session | None = None, most_labels: int | None = None
    ) -> None:
        self._session = session or Session()
        self._endpoint = parse_endpoint(model)
        self.model, self.most_labels = self._endpoint.text, most_labels
        if self._session.send_original or self._session.accept_truncation:
            raise InputError("--send-original, --accept-truncation: for embeddings only; omit them")
        for kind in ("text", "image"):
            self._endpoint.check(kind, self._session)
        self.device = f"a service at {self._endpoint.host}"
        self._client = Client(self._endpoint, self._session)
        self.concurrency = self._session.concurrency
        self._sent: dict[str, Sent] = {}
        self._image: tuple[Image.Image, bytes] | None = None
        self._lock = Lock()

    @property
    def identity(self) -> str:
        """The URL and the model's name: labels reveal no more."""
        return self.model

    def announce(self, questions: Questions) -> None:
        """States the maximum that is sent; refuses a run that costs more than allowed."""
        asked, limit = questions, self._session.max_calls
        warnings.warn(
            f"{self._endpoint.host} will be sent at most {counted(asked.labels, 'label')} "
            f"({asked.label_bytes:,} bytes) and {counted(asked.images, 'image')}, one image per "
            f"call, in {counted(asked.calls, 'call')}; earlier answers are not requested "
            "again",
            stacklevel=2,
        )
        if limit is not None and asked.calls > limit and not asked.kept:
            raise RefusedError(
                f"--max-calls {limit}: this takes up to {counted(asked.calls, 'call')}; raise the "
                "limit, or use fewer names, templates or images"
            )

    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        """The label with the highest score; among equals, the first."""
        data = self._as_sent(image)
        body = {
            "inputs": base64.b64encode(data).decode("ascii"),
            "parameters": {"candidate_labels": list(labels), "hypothesis_template": "{}"},
        }
        answer = self._client.post("", body, (1 << 20) + _LABEL_BYTES * len(labels))
        self._tell("text", "\n".join(labels).encode("utf-8"))
        self._tell("image", data)
        try:
            scores = {str(each["label"]): float(each["score"]) for each in answer}
            best = max(scores.values())
            return next(place for place, label in enumerate(labels) if scores[label] == best)
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise ServiceError(
                f"{self._endpoint.url}: no labels with scores in its answer ({error})"
            ) from error

    def _as_sent(self, image: Image.Image) -> bytes:
        """An image as PNG, shared by the questions about it in all templates."""
        with self._lock:
            if self._image is None or self._image[0] is not image:
                self._image = image, png(image)
            return self._image[1]

    def _tell(self, kind: Literal["text", "image"], content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._sent.setdefault(digest, Sent(kind, digest, len(content)))

    @property
    def service(self) -> ServiceRecord:
        """The requests made of the service so far; a list of labels counts as one text."""
        return ServiceRecord(
            endpoint=self._endpoint.url, model=self._endpoint.model, says="", checked=(),
            noise=None, tolerance=None, calls=self._client.made, repeated=self._client.repeated,
            remembered=0, sent=tuple(self._sent.values()),
        )  # fmt: skip

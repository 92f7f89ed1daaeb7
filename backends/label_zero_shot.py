"""The labeler of Hugging Face's zero-shot image classification, behind HTTP."""

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
    """A service that classifies an image among labels; its template is fixed to the label alone.

    Args:
        model: `zero-shot+https://HOST[:PORT][/PATH]#MODEL`, the very URL that is asked.
        session: what may be sent there, with which key.
        most_labels: labels of one request; None: no bound.
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
            raise InputError(
                "--send-original, --accept-truncation: of embeddings; leave them out for labels"
            )
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
        """The URL and the model's name: labels alone tell no more."""
        return self.model

    def announce(self, questions: Questions) -> None:
        """States the maximum that is sent, and refuses what costs more than allowed."""
        asked, limit = questions, self._session.max_calls
        warnings.warn(
            f"{self._endpoint.host} will be sent at most {counted(asked.labels, 'label')} "
            f"({asked.label_bytes:,} bytes) and {counted(asked.images, 'image')}, each image once "
            f"a call, in {counted(asked.calls, 'call')}; what it answered before is not asked "
            "again",
            stacklevel=2,
        )
        if limit is not None and asked.calls > limit and not asked.kept:
            raise RefusedError(
                f"--max-calls {limit}: this takes up to {counted(asked.calls, 'call')}; allow as "
                "many, or ask for less"
            )

    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        """The label with the highest score; of equals, the first."""
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
                f"{self._endpoint.url}: its answer holds no labels with scores ({error})"
            ) from error

    def _as_sent(self, image: Image.Image) -> bytes:
        """An image as PNG, which the questions about it in other templates share."""
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
        """What was asked of the service until now; a list of labels counts as one text."""
        return ServiceRecord(
            endpoint=self._endpoint.url, model=self._endpoint.model, says="", checked=(),
            noise=None, tolerance=None, calls=self._client.made, repeated=self._client.repeated,
            remembered=0, sent=tuple(self._sent.values()),
        )  # fmt: skip

"""The request and answer formats of services: one small class each, found by entry point."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

import numpy as np

from idia_index.errors import ModelError
from idia_index.support.text import shown
from idia_index.types import Float32

GROUP = "idia_index.http_dialects"
Kind = Literal["text", "image"]


class Dialect(ABC):
    """One embeddings interface; third parties subclass it and register it under `GROUP`.

    Attributes:
        path: the embeddings path, appended to the SPEC's URL.
        about_path: the path of the service's self-description; None if it has none.
        most: maximum texts and images of one request.
    """

    path: ClassVar[str] = "/v1/embeddings"
    about_path: ClassVar[str | None] = "/v1/models"
    most: ClassVar[Mapping[Kind, int]] = {"text": 256, "image": 32}

    @abstractmethod
    def request(self, model: str, kind: Kind, items: Sequence[str]) -> Mapping[str, Any]:
        """The JSON request for embeddings of texts, or of images in base64."""

    def embeddings(self, answer: Any, kind: Kind) -> list[Any]:
        """The embeddings in an answer, in item order: lists of numbers, or base64.

        A KeyError, TypeError or ValueError marks the answer as invalid.
        """
        rows = sorted(answer["data"], key=lambda row: row["index"])
        if [row["index"] for row in rows] != list(range(len(rows))):
            raise ValueError("its indices are not 0, 1, 2, ...")
        return [row["embedding"] for row in rows]

    def model_of(self, answer: Any) -> str:
        """The model named in an answer; empty if none."""
        model = answer.get("model") if isinstance(answer, dict) else None
        return model if isinstance(model, str) else ""

    def about(self, answer: Any, model: str) -> str:
        """One line on the service and the model, from fields that stay the same over time."""
        own = next(each for each in answer["data"] if each["id"] == model)
        known = ("backend", "capabilities", "max_model_len", "owned_by", "root")
        return ", ".join(f"{field} {own[field]}" for field in known if own.get(field))


class Infinity(Dialect):
    """infinity's own interface; floats as base64."""

    path, about_path = "/embeddings", "/models"
    most: ClassVar[Mapping[Kind, int]] = {"text": 512, "image": 32}  # it takes 2,048 texts

    def request(self, model: str, kind: Kind, items: Sequence[str]) -> Mapping[str, Any]:
        inputs = list(items) if kind == "text" else [_data_uri(item) for item in items]
        return {"model": model, "encoding_format": "base64", "input": inputs, "modality": kind}


class Vllm(Dialect):
    """vLLM's chat embeddings: one text or image per request."""

    most: ClassVar[Mapping[Kind, int]] = {"text": 1, "image": 1}

    def request(self, model: str, kind: Kind, items: Sequence[str]) -> Mapping[str, Any]:
        (item,) = items
        content: dict[str, Any] = {"type": "text", "text": item}
        if kind == "image":
            content = {"type": "image_url", "image_url": {"url": _data_uri(item)}}
        messages = [{"role": "user", "content": [content]}]
        return {"model": model, "encoding_format": "float", "messages": messages}


class Jina(Dialect):
    """Jina's embeddings of texts and images."""

    about_path = None

    def request(self, model: str, kind: Kind, items: Sequence[str]) -> Mapping[str, Any]:
        return {"model": model, "input": [{kind: item} for item in items]}


class Weaviate(Dialect):
    """Weaviate's multi2vec-clip, which serves one model."""

    path, about_path = "/vectorize", "/meta"

    def request(self, model: str, kind: Kind, items: Sequence[str]) -> Mapping[str, Any]:
        texts, images = (list(items), []) if kind == "text" else ([], list(items))
        return {"texts": texts, "images": images}

    def embeddings(self, answer: Any, kind: Kind) -> list[Any]:
        rows = answer["textVectors" if kind == "text" else "imageVectors"]
        if not isinstance(rows, list):
            raise TypeError(f"a {type(rows).__name__} instead of vectors")
        return rows

    def about(self, answer: Any, model: str) -> str:
        known = ("model_type", "architectures", "_name_or_path", "transformers_version")
        return ", ".join(f"{field} {answer[field]}" for field in known if answer.get(field))


def load_dialect(name: str) -> Dialect:
    """The dialect registered under a name; raises ModelError that lists those available."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise ModelError(
            f"unknown dialect of hosted models {shown(name, 80)}; available: "
            f"{', '.join(sorted(points)) or 'none; is idia-index installed?'}"
        )
    loaded: type[Dialect] = points[name].load()
    return loaded()


def as_rows(embeddings: Sequence[Any]) -> Float32:
    """Embeddings given as lists of numbers or base64 little-endian float32, as float32 [n, D].

    Raises:
        TypeError, ValueError: they are not embeddings, or differ in length.
    """
    rows = [_row(each) for each in embeddings]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its embeddings differ in length")
    return np.stack(rows)


def _row(embedding: Any) -> Float32:
    if isinstance(embedding, str):
        found = np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    else:
        found = np.asarray(embedding)
        if found.dtype.kind not in "fiu":
            raise TypeError("its embeddings are not numbers")
    if found.ndim != 1 or not len(found):
        raise ValueError(f"an embedding of shape {found.shape}")
    return found.astype(np.float32)


def _data_uri(image: str) -> str:
    """A base64 image as a data URI; the type is told from its first bytes."""
    kind = "jpeg" if image.startswith("/9j/") else "png"
    return f"data:image/{kind};base64,{image}"

"""Plain records shared between modules. No behaviour beyond what their fields imply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idia_index.support.text import shown

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# (done, total), and the same with the name of the stage
CountProgress = Callable[[int, int], None]
StageProgress = Callable[[str, int, int], None]

MAX_DIM = 1 << 16


def quiet(*_: object) -> None:
    """A progress callback that does nothing."""


def _short(value: object) -> str:
    """A field as shown in messages, escaped: an index may come from anywhere."""
    text = str(value)
    return text if text.isprintable() and len(text) <= 300 else shown(text, 300)


@dataclass(frozen=True)
class Fingerprint:
    """Exactly which model a backend runs.

    Attributes:
        architecture: name of the architecture ("ViT-B-32").
        weights_sha256: SHA-256 of the weights file that the source model was loaded from.
        tokenizer: kind of tokenizer, SHA-256 of its data, context length, as one string.
        preprocessing: size, interpolation, resize mode, mean and deviation, as one string.
        activation: activation of the towers ("gelu", "quick_gelu").
        dim: length of an embedding.
        precision: dtype that the towers compute in ("float32").
    """

    architecture: str
    weights_sha256: str
    tokenizer: str
    preprocessing: str
    activation: str
    dim: int
    precision: str

    def differences(self, other: Fingerprint) -> list[str]:
        """Fields in which two fingerprints describe different models, as readable strings.

        Precision is not among them: an export in float16 is the same model, computed with
        less accuracy, and reports state both precisions.
        """
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{field}: {_short(mine[field])} != {_short(theirs[field])}"
            for field in mine
            if field != "precision" and mine[field] != theirs[field]
        ]

    def __post_init__(self) -> None:
        if not 1 <= self.dim <= MAX_DIM:
            raise ValueError(f"the model has {self.dim} dimensions")


@dataclass(frozen=True)
class Sent:
    """A text or an image that left the machine.

    Attributes:
        kind: "text" or "image".
        sha256: SHA-256 of the text in UTF-8, or of the bytes of the image as sent.
        bytes: number of those bytes.
    """

    kind: Literal["text", "image"]
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ServiceRecord:
    """What a run requested from a service, and how reliable its answers are.

    Attributes:
        endpoint: the URL.
        model: the model that was requested.
        says: what the service says about itself, in one line; empty if nothing.
        checked: when its fixed probes were answered as at the build, UTC; the last at the end.
        noise: the largest distance between unit rows of the same input, over three probes; null
            for labels.
        tolerance: similarities that differ by no more than this cannot be distinguished.
        undecided: number of predictions whose two best names differ by no more than that; null if
            the second best was not determined.
        calls: number of requests, including retries and probes.
        repeated: number of requests repeated because the service asked for it.
        remembered: number of answers reused from earlier runs.
        sent: what left the machine besides the fixed probes, each once.
    """

    endpoint: str
    model: str
    says: str
    checked: tuple[str, ...]
    noise: float | None
    tolerance: float | None
    calls: int
    repeated: int
    remembered: int
    sent: tuple[Sent, ...]
    undecided: int | None = None


@dataclass(frozen=True)
class Pack:
    """A run of prompts as B prefix trees of n nodes each, for a causal text tower.

    A node represents a token after a given prefix; prompts that share a prefix share its nodes.
    Nodes past the end of a shorter tree are padding: they attend only to themselves, and nothing
    reads them.

    Attributes:
        ids: int64 [B, n], the token at each node.
        positions: int64 [B, n], depth of each node, its position in the prompt.
        ends: int64 [B, n], the node after the last of each node's subtree: a tree's nodes are in
            depth-first order, so i attends to j where j <= i < ends[b, j].
        reads: int64 [p], the node of each prompt's end-of-text token, as b * n + i.
        rows: int64 [p], the row of the result for each prompt's embedding.
    """

    ids: Int64
    positions: Int64
    ends: Int64
    reads: Int64
    rows: Int64

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """bool [B, n, n], mask[b, i, j] where j is i or an ancestor of i."""
        nodes = np.arange(self.ids.shape[1])
        seen: NDArray[np.bool_] = nodes[:, None] < self.ends[:, None, :]
        return seen & np.tri(len(nodes), dtype=np.bool_)

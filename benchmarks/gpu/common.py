"""What the parts share: sizes, rows of the table, devices, clocks, models with random weights."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


class SkipPart(Exception):  # noqa: N818 (no error: the reason goes to the table)
    """What a part needs is not here; the message says what."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what: what was measured.
        value: the figure, as it is shown.
        holds: whether a claim holds; None where nothing is claimed.
        data: the figures behind it.
    """

    what: str
    value: str
    holds: bool | None = None
    data: dict[str, float | int | str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """How much a run does: all of it on a GPU, little of it on a processor."""

    small: bool

    def pick(self, small: Any, large: Any) -> Any:
        """One of two sizes."""
        return small if self.small else large

    @property
    def device(self) -> str:
        """Where the parts compute."""
        import torch

        if not torch.cuda.is_available() and not self.small:
            raise SkipPart("PyTorch finds no CUDA device; --small runs the same on the processor")
        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def models(self) -> tuple[str, ...]:
        """Architectures that random weights are drawn for."""
        return ("idia-gpu-tiny",) if self.small else ("ViT-B-32", "ViT-L-14", "RN50")


TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@contextmanager
def random_model(architecture: str) -> Iterator[str]:
    """SPEC of a checkpoint with random weights, the same each time, on disk for the while."""
    import open_clip
    import torch

    with TemporaryDirectory() as folder:
        if architecture not in open_clip.list_models():
            tiny = Path(folder) / f"{architecture}.json"
            tiny.write_text(json.dumps(TINY))
            open_clip.add_model_config(tiny)
        torch.manual_seed(0)
        model = open_clip.create_model(architecture, load_weights=False)
        path = Path(folder) / "random.pt"
        torch.save(model.state_dict(), path)
        del model
        yield f"{architecture}/{path}"


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def seconds(work: Callable[[], Any], device: str, rounds: int = 5) -> float:
    """Median wall time of a call, after one that does not count."""
    work()
    times = []
    for _ in range(rounds):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def matrix_rate(device: str, dtype: Any, size: int) -> float:
    """FLOP/s of a square product."""
    import torch

    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: torch.mm(a, b), device, 10)


def memory_rate(device: str, size: int) -> float:
    """Bytes/s read by a sum over memory."""
    import torch

    rows = torch.ones(size // 4, device=device)
    return 4 * rows.numel() / seconds(rows.sum, device, 10)

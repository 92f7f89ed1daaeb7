"""What several tests need."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backend import ToyBackend

import idia_index.registry
from idia_index.prompts.names import NameList, make_names
from idia_index.support.offline import send_nothing

# No test may reach for a hub; whatever tries must fail at once and not wait for a network.
os.environ["HF_HUB_OFFLINE"] = "1"
send_nothing()  # tests import libraries of backends themselves


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what is cached (hashes of weights) out of the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def toy() -> ToyBackend:
    return ToyBackend(model="toy")


@pytest.fixture
def toy_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the toy backend, as an installed plugin would be."""
    plain = idia_index.registry.load_plugin
    monkeypatch.setattr(
        idia_index.registry,
        "load_plugin",
        lambda group, name: ToyBackend if name == "toy" else plain(group, name),
    )


@pytest.fixture
def names() -> NameList:
    return make_names([f"First{i % 7} Last{i}" for i in range(40)])


def make_images(folder: Path, count: int, seed: int = 0) -> Path:
    """Writes images of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for i in range(count):
        pixels = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder

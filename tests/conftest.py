"""Fixtures shared by several test files."""

from __future__ import annotations

import gc
import importlib.abc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from marking import NEEDS, needs_of
from PIL import Image
from toy_backend import ToyBackend

import idia_index.registry
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.support.offline import send_nothing

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError:  # a report has tables then
    Figure = None  # type: ignore[assignment, misc]

# No test may reach for a hub; whatever tries must fail at once and not wait for a network.
os.environ["HF_HUB_OFFLINE"] = "1"
send_nothing()  # tests import libraries of backends themselves

# The same examples each time, so that a change is judged by itself; new ones on demand. How fast
# the machine is right now decides nothing.
fresh = bool(os.environ.get("IDIA_INDEX_NEW_EXAMPLES"))
hypothesis.settings.register_profile(
    "here",
    derandomize=not fresh,
    database=hypothesis.settings.default.database if fresh else None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("here")

# What the test that runs now must not do; see _marked.
_forbidden: dict[str, str] = {}


class NoTorch(importlib.abc.MetaPathFinder):
    """Finds no PyTorch, and nothing that is of no use without it."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in NEEDS["torch"]:
            raise ModuleNotFoundError("these tests run without PyTorch", name=fullname)


def pytest_configure(config: pytest.Config) -> None:
    """Where tests that need PyTorch are left out, PyTorch is not there: the marks must be true."""
    if "not torch" in config.option.markexpr:
        sys.meta_path.insert(0, NoTorch())
    sys.addaudithook(_refuse)
    gc.disable()  # what is collected is here to stay
    # A shell starts what runs in its background without Ctrl-C; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    # When first imported, matplotlib lists fonts with fc-list, and PyTorch libraries with ldconfig.
    if event in _forbidden and not any(x in str(arguments) for x in ("fc-list", "ldconfig")):
        raise RuntimeError(f"{_forbidden[event]} starts a process; mark it @pytest.mark.process")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        assert isinstance(item, pytest.Function)
        for need in needs_of(item.path, item.originalname):
            item.add_marker(need)


def pytest_collection_finish() -> None:
    """Garbage is looked for among what tests make, not among all that they import."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)
    gc.enable()


@pytest.fixture(autouse=True)
def _marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that start a process are marked so; PyTorch may start some as it pleases."""
    if not any(request.node.get_closest_marker(mark) for mark in ("process", "torch")):
        _forbidden.update(dict.fromkeys(("subprocess.Popen", "os.fork"), request.node.nodeid))
    yield
    _forbidden.clear()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what is cached (hashes of weights) out of the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _unrendered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering is what a page takes longest for; it is left to the tests of pages."""
    if Figure and request.path.parent.name not in ("report", "serve"):
        monkeypatch.setattr(Figure, "savefig", lambda _, out, **__: out.write("<svg/>"))


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

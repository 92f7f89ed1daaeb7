"""An index that grows step by step, and all its answers, for tests with several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.pipelines.change import add_names, remove_names
from idia_index.pipelines.compact import compact
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024


def answer(folder: Path) -> str:
    """All that an index answers, as one line."""
    index = open_index(folder, verify=True)
    queries = np.eye(DIM, dtype=np.float32)[:3]
    similarities, ids = index.search(queries, 2)
    found = [list(index.names), index.find(["First1 Last1", "More 5"]), ids.tolist()]
    index.close()
    return json.dumps([found, similarities.tolist()])


def steps() -> list:  # type: ignore[type-arg]
    """What a writer does, one after the other."""
    toy = ToyBackend(model="toy")
    more, last = (make_names([f"More {i}" for i in range(a, b)]) for a, b in ((0, 30), (30, 40)))
    return [
        lambda path: add_names(path, toy, more),
        lambda path: remove_names(path, make_names(more[:7])),
        lambda path: compact(path),
        lambda path: add_names(path, toy, last),
    ]


def small_shards() -> None:
    idia_index.pipelines.build.SHARD_BYTES = DIM * 4 * 3 * 8


def grow(path: str) -> None:
    small_shards()
    for step in steps():
        step(path)


def base(folder: Path) -> Path:
    small_shards()
    names = make_names([f"First{i % 7} Last{i}" for i in range(20)])
    build_index(folder, ToyBackend(model="toy"), names, JAIR2024[:3])
    return folder

"""An index of several small shards, and its files, for tests of how it is written."""

from __future__ import annotations

from pathlib import Path

from toy_backend import DIM

from idia_index.prompts.templates import JAIR2024

SHARD = DIM * 4 * len(JAIR2024) * 8  # bytes: eight names


def files(folder: Path) -> dict[str, bytes]:
    """What an index directory holds, but for its lock."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "lock"}

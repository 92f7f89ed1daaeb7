"""An index of several small shards and its files, for tests of how it is written."""

from __future__ import annotations

from pathlib import Path

from toy_backend import DIM

from idia_index.prompts.templates import JAIR2024

SHARD = DIM * 4 * len(JAIR2024) * 8  # bytes: eight names


def files(folder: Path) -> dict[str, bytes]:
    """What an index directory holds, but for its lock."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "lock"}


def below(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but for indexes' locks and what they remember of photos.

    The latter stands in the order in which threads were done.
    """
    unlike = ("lock", "images.cache")
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in unlike)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def damage(folder: Path, number: int) -> None:
    """Overwrites the end of a shard's file, the first in the order of their names being 0."""
    with sorted(folder.glob("*.faiss"))[number].open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\0")

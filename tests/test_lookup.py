"""What finds a name on disk: the same bytes as the plainest way, in little memory."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc

import pytest

from idia_index.lookup import BLOCK, KEY_BYTES, key_hash, lookup_files

MANY = 100_000


@pytest.mark.parametrize("count", [1, 7, BLOCK, BLOCK + 1])
def test_the_files_are_those_of_a_plain_sort(count: int) -> None:
    keys = [f"first{i % 97} last{i // 2}" for i in range(count)]  # some twice
    ranked = sorted((key_hash(key), place) for place, key in enumerate(keys))
    hashes = [struct.pack("<Q", found) for found, _ in ranked]
    ids = [struct.pack("<q", place) for _, place in ranked]
    sums = [
        hashes[i] + hashlib.sha256(b"".join(hashes[i : i + BLOCK] + ids[i : i + BLOCK])).digest()
        for i in range(0, count, BLOCK)
    ]
    file, written = lookup_files(iter(keys))
    assert bytes(file) == b"".join(hashes + ids) and written == b"".join(sums)
    assert len(file) == KEY_BYTES * count


def test_no_list_of_keys_is_kept() -> None:
    tracemalloc.start()
    try:
        lookup_files(f"{i} ".rjust(1000) for i in range(MANY))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * MANY

"""Finds a name's id without reading all names, by sorted hashes of name keys on disk.

A keys file is the hashes, uint64 [n], ascending, then their ids, int64 [n], relative to the first
of the run. It is read in blocks of `BLOCK` entries; the sums file has for each block its first
hash and the SHA-256 of its hashes and ids, 40 bytes, so that exactly the blocks read are checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import DamagedIndexError, InputError
from idia_index.store.manifest import LookupEntry
from idia_index.support.files import read_regular, regular
from idia_index.types import Int64

BLOCK = 4096
KEY_BYTES = 16  # per name in a keys file

_SUM = np.dtype([("hash", "<u8"), ("digest", "V32")])


def key_hash(key: str) -> int:
    """A platform-independent hash of a `name_key`; equality is only a hint."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def lookup_files(keys: Iterable[str]) -> tuple[memoryview, bytes]:
    """The keys file and the sums file of the names with these keys, in id order.

    Keys are consumed one by one: a name needs about 36 bytes, whatever its length.
    """
    hashes = np.fromiter((key_hash(key) for key in keys), "<u8")
    order, count = np.argsort(hashes, kind="stable").astype("<i8", copy=False), len(hashes)
    file = np.empty(2 * count, "<u8")
    ranked, ids = file[:count], file[count:]
    np.take(hashes, order, out=ranked, mode="clip")  # this mode avoids a copy
    ids[:] = order.view("<u8")
    starts = range(0, count, BLOCK)
    sums = np.empty(len(starts), _SUM)
    for place, start in enumerate(starts):
        part = slice(start, start + BLOCK)
        digest = hashlib.sha256(ranked[part].tobytes() + ids[part].tobytes()).digest()
        sums[place] = (ranked[start], np.void(digest))
    return file.view(np.uint8).data, sums.tobytes()


class Lookup:
    """The lookup of one run of names; opens its files on first use."""

    def __init__(self, folder: Path, entry: LookupEntry) -> None:
        """Raises InputError if the file sizes in the manifest are impossible."""
        self._entry = entry
        self._keys = folder / entry.keys.file
        self._sums_path = folder / entry.sums.file
        for path, file, size in (
            (self._keys, entry.keys, KEY_BYTES * entry.count),
            (self._sums_path, entry.sums, _SUM.itemsize * -(-entry.count // BLOCK)),
        ):
            if file.bytes != size:
                raise DamagedIndexError(
                    f"{path}: {file.bytes} bytes in the manifest, {size} for {entry.count} names; "
                    "rebuild the index"
                )

    @cached_property
    def _sums(self) -> NDArray[np.void]:
        try:
            data = read_regular(self._sums_path, self._entry.sums.bytes)
        except OSError as error:
            raise _unreadable(self._sums_path, error) from error
        if hashlib.sha256(data).hexdigest() != self._entry.sums.sha256:
            raise DamagedIndexError(
                f"{self._sums_path}: was changed after the build; fix it with: idia-index repair"
            )
        return np.frombuffer(data, _SUM)

    def candidates(self, wanted: NDArray[np.uint64]) -> Iterator[tuple[Int64, Int64]]:
        """Stored ids of names that may have these hashes, block by block; compare the keys.

        Args:
            wanted: uint64 [w], ascending `key_hash`es. Each block is read once, and only if it
                may hold one of them.

        Yields:
            int64 [c], indices in `wanted`, and int64 [c], the stored id of each.

        Raises:
            InputError: a file of the lookup was changed.
        """
        firsts = self._sums["hash"]
        # The last block that starts below a hash may still contain it.
        first = np.maximum(np.searchsorted(firsts, wanted, side="left") - 1, 0)
        stop = np.searchsorted(firsts, wanted, side="right")
        blocks = np.arange(len(firsts))
        starts = np.searchsorted(stop, blocks, side="right")
        stops = np.searchsorted(first, blocks, side="right")
        for number in np.flatnonzero(starts < stops).tolist():
            hashes, ids = self._block(number)
            mine = slice(int(starts[number]), int(stops[number]))
            left = np.searchsorted(hashes, wanted[mine], side="left")
            right = np.searchsorted(hashes, wanted[mine], side="right")
            places = np.repeat(np.arange(mine.start, mine.stop), right - left)
            before = np.repeat(np.cumsum(right - left) - right, right - left)
            yield places, ids[np.arange(len(places)) - before] + self._entry.first

    def _block(self, number: int) -> tuple[NDArray[np.uint64], Int64]:
        start = number * BLOCK
        count = min(BLOCK, self._entry.count - start)
        try:
            with open(self._keys, "rb", opener=regular) as file:
                file.seek(8 * start)
                hashes = file.read(8 * count)
                file.seek(8 * (self._entry.count + start))
                data = file.read(8 * count)
        except OSError as error:
            raise _unreadable(self._keys, error) from error
        if hashlib.sha256(hashes + data).digest() != self._sums["digest"][number].tobytes():
            raise DamagedIndexError(
                f"{self._keys}: was changed after the build; fix it with: idia-index repair"
            )
        ids, ranked = np.frombuffer(data, "<i8"), np.frombuffer(hashes, "<u8")
        if ids.min() < 0 or ids.max() >= self._entry.count:
            raise DamagedIndexError(
                f"{self._keys}: has ids beyond its {self._entry.count} names; "
                "fix it with: idia-index repair"
            )
        if not (ranked[1:] >= ranked[:-1]).all():  # else any hash could match any name
            raise DamagedIndexError(
                f"{self._keys}: its hashes are not ascending; fix it with: idia-index repair"
            )
        return ranked, ids


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be read ({error.strerror}); if the index was compacted meanwhile, "
        "open it again"
    )

"""Maps a weights file into memory: tensors are views of it, read on use."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

import torch
from torch import Tensor


class MappedFile:
    """A file with bytes that become tensors without a copy.

    The mapping is private: writes to a tensor stay in this process. Tensors keep the mapping
    alive.

    Args:
        path: the file; raises OSError if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        self._bytes: mmap.mmap | bytearray = bytearray()
        with path.open("rb") as file:
            try:
                if self.size:
                    self._bytes = mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_COPY)
            except (OSError, ValueError):  # a file system without mmap
                self._bytes = bytearray(file.read())

    def tensor(self, dtype: torch.dtype, offset: int, size: int) -> Tensor:
        """The `size` bytes from `offset` as a tensor [n] of a dtype.

        Raises:
            ValueError: the file is shorter, or the range is not of integers.
        """
        if not 0 <= offset <= offset + size <= self.size or size % dtype.itemsize:
            raise ValueError(f"{size} bytes from {offset} in a file of {self.size}")
        if not size:
            return torch.empty(0, dtype=dtype)
        if offset % dtype.itemsize:  # processors may refuse unaligned numbers
            data = bytearray(self._bytes[offset : offset + size])
            return torch.frombuffer(data, dtype=torch.uint8).view(dtype)
        return torch.frombuffer(self._bytes, dtype=torch.uint8, count=size, offset=offset).view(
            dtype
        )

    def release(self) -> None:
        """Frees the memory of pages read; they are read from the file again on use.

        Must not be called after a tensor was written to: the writes would be lost.
        """
        if isinstance(self._bytes, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            with contextlib.suppress(OSError, ValueError):
                self._bytes.madvise(mmap.MADV_DONTNEED)

    def head(self, size: int) -> bytes:
        """The first `size` bytes, or as many as there are."""
        return bytes(self._bytes[: min(size, self.size)])

    def begins(self, start: bytes, at: int = 0) -> bool:
        """Whether these bytes are at an offset near the beginning."""
        return self.head(at + len(start))[at:] == start

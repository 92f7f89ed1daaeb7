"""Subjects' image files -> image embeddings: what is remembered, else decoded and encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from idia_index import embeddings
from idia_index.errors import InputError
from idia_index.image_cache import ImageCache
from idia_index.images import load_image
from idia_index.protocols import Backend
from idia_index.records import Float32, Int64
from idia_index.subjects import Skipped, Subject
from idia_index.textfiles import shown

LOADERS = 2  # decoding beside the encoder; more threads only take cores from it

# What an image is remembered by, and its embedding, or itself, or why it cannot be read.
_Loaded = tuple[bytes | None, Float32 | Image.Image | InputError]


@dataclass(frozen=True)
class Encoded:
    """The images of all subjects.

    Attributes:
        embeddings: float32 [M, D], unit rows.
        owners: int64 [M], the subject of each.
        paths: the file of each.
        skipped: by subject, what was left out.
    """

    embeddings: Float32
    owners: Int64
    paths: list[Path]
    skipped: list[list[Skipped]]


def encode_subjects(
    backend: Backend,
    subjects: Sequence[Subject],
    cache: ImageCache,
    strict: bool,
    progress: Callable[[int, int], None],
) -> Encoded:
    """Encodes the images that `cache` does not know, and tells it.

    Raises:
        InputError: `strict` and an image cannot be read, or none of a subject's can.
    """
    files = [(n, path) for n, subject in enumerate(subjects) for path in subject.images]
    skipped: list[list[Skipped]] = [[] for _ in subjects]
    used: list[tuple[int, Path]] = []
    out = np.empty((len(files), backend.fingerprint.dim), np.float32)
    batch = _Batch(backend, cache, out)
    loaded = _loaded([path for _, path in files], cache)
    for done, ((number, path), (key, found)) in enumerate(zip(files, loaded, strict=True), 1):
        if isinstance(found, InputError):
            if strict:
                raise found
            skipped[number].append(Skipped(path, str(found)))
        else:
            if isinstance(found, np.ndarray):
                out[len(used)] = found
            else:
                batch.add(len(used), key, found)
            used.append((number, path))
        if batch.is_full() or done == len(files):
            batch.encode()
            progress(done, len(files))
    owners = np.array([number for number, _ in used], np.int64)
    _check_everybody(subjects, owners, skipped)
    return Encoded(out[: len(used)], owners, [path for _, path in used], skipped)


class _Batch:
    """Images that wait to be encoded, and where their embeddings go."""

    def __init__(self, backend: Backend, cache: ImageCache, out: Float32) -> None:
        self._backend = backend
        self._cache = cache
        self._out = out
        self._places: list[int] = []
        self._keys: list[bytes | None] = []
        self._images: list[Image.Image] = []

    def add(self, place: int, key: bytes | None, image: Image.Image) -> None:
        if not self._images:  # the others are still being decoded
            self._backend.expect_images(len(self._out))
        self._places.append(place)
        self._keys.append(key)
        self._images.append(image)

    def is_full(self) -> bool:
        return len(self._images) == embeddings.IMAGE_BATCH

    def encode(self) -> None:
        if not self._images:
            return
        rows = embeddings.encode_images(self._backend, self._images)
        self._out[self._places] = rows
        self._cache.put(self._keys, rows)
        self._places, self._keys, self._images = [], [], []


def _check_everybody(
    subjects: Sequence[Subject], owners: Int64, skipped: Sequence[Sequence[Skipped]]
) -> None:
    for number, subject in enumerate(subjects):
        if not (owners == number).any():
            raise InputError(
                f"none of the {len(subject.images)} images of {shown(subject.name)} can be read; "
                f"the first: {skipped[number][0].reason}"
            )


def _load(path: Path, cache: ImageCache) -> _Loaded:
    key = cache.key(path)
    if (row := cache.get(key)) is not None:
        return key, row
    try:
        return key, load_image(path)
    except InputError as error:
        return key, error


def _loaded(paths: Sequence[Path], cache: ImageCache) -> Iterator[_Loaded]:
    """Images in order, decoded a batch ahead of the encoder."""
    ahead = 2 * embeddings.IMAGE_BATCH
    with ThreadPoolExecutor(LOADERS) as pool:
        waiting: list[Future[_Loaded]] = []
        for path in paths:
            waiting.append(pool.submit(_load, path, cache))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

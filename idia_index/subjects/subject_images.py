"""Subjects' image files -> image embeddings: what is remembered, else decoded and encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.image_cache import ImageCache
from idia_index.encode.images import decode_image, hash_image, open_image, size_of
from idia_index.encode.memory_budget import Room
from idia_index.errors import InputError
from idia_index.subjects.records import Skipped, Subject
from idia_index.support.text import shown_path
from idia_index.types import Float32, Int64

LOADERS = 2  # decoding beside the encoder; more threads only take cores from it


def _quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


@dataclass(frozen=True)
class Encoded:
    """The images of all subjects.

    Attributes:
        embeddings: float32 [M, D], unit rows.
        owners: int64 [M], the subject of each.
        places: int64 [M], the place of each among all subjects' files, ascending.
        paths: the file of each.
        sha256: of the file of each, as it was when it was decoded.
        skipped: by subject, what was left out.
    """

    embeddings: Float32
    owners: Int64
    places: Int64
    paths: list[ImageFile]
    sha256: list[str]
    skipped: list[list[Skipped]]


@dataclass(frozen=True)
class _Loaded:
    """A file's content: an embedding that was remembered, an image, or why there is neither.

    Attributes:
        sha256: of the file, empty where it could not be read.
        key: what it is remembered by.
        content: see above.
        size: bytes of the room that an image takes.
    """

    sha256: str
    key: bytes | None
    content: Float32 | Image.Image | InputError
    size: int = 0


def encode_subjects(
    backend: Backend,
    subjects: Sequence[Subject],
    cache: ImageCache,
    strict: bool,
    progress: Callable[[int, int], None] = _quiet,
) -> Encoded:
    """Encodes the images that `cache` does not know, and tells it.

    Raises:
        InputError: `strict` and an image cannot be read.
    """
    files = [(n, path) for n, subject in enumerate(subjects) for path in subject.images]
    rows = np.empty((len(files), backend.fingerprint.dim), np.float32)
    room = Room()
    batch = _Batch(backend, cache, rows, room)
    unread: dict[int, InputError] = {}
    hashes: list[str] = []
    same: dict[tuple[int, str], int] = {}  # one person's photo in two copies is one vote
    # Closed whatever happens, since loaders may wait for room that nobody makes any more.
    with closing(_loaded([path for _, path in files], cache, room)) as loaded:
        # Neither `found` nor an enumerate() around it may hold an image while the next is decoded.
        for place in range(len(files)):
            found = next(loaded)
            hashes.append(found.sha256)
            if isinstance(found.content, InputError):
                unread[place] = found.content
            elif (first := same.setdefault((files[place][0], found.sha256), place)) != place:
                unread[place] = RepeatedImageError(files[place][1], files[first][1])
                room.give(found.size)
            elif isinstance(found.content, np.ndarray):
                rows[place] = found.content
            else:
                batch.add(place, found, found.content)
            del found
            if batch.is_full() or place + 1 == len(files):
                for bad, error in batch.encode().items():
                    name = shown_path(files[bad][1])
                    unread[bad] = InputError(f"{name}: {error}")
                progress(place + 1, len(files))
            wrong = [at for at, why in unread.items() if not isinstance(why, RepeatedImageError)]
            if strict and wrong:
                raise unread[min(wrong)]
    return _encoded(subjects, files, rows, hashes, unread)


def _encoded(
    subjects: Sequence[Subject],
    files: Sequence[tuple[int, ImageFile]],
    rows: Float32,
    hashes: Sequence[str],
    unread: dict[int, InputError],
) -> Encoded:
    skipped: list[list[Skipped]] = [[] for _ in subjects]
    for place in sorted(unread):
        number, path = files[place]
        skipped[number].append(Skipped(path, str(unread[place])))
    used = [place for place in range(len(files)) if place not in unread]
    places = np.array(used, np.int64)
    owners = np.array([files[place][0] for place in used], np.int64)
    kept = rows[places] if unread else rows
    paths, sha256 = [files[place][1] for place in used], [hashes[place] for place in used]
    return Encoded(kept, owners, places, paths, sha256, skipped)


class RepeatedImageError(InputError):
    """A file that holds the same bytes as an earlier one of the same person."""

    def __init__(self, path: ImageFile, first: ImageFile) -> None:
        super().__init__(
            f"{shown_path(path)}: holds the same bytes as {shown_path(first)} and counts once"
        )


class _Batch:
    """Images that wait to be encoded, and where their embeddings go."""

    def __init__(self, backend: Backend, cache: ImageCache, out: Float32, room: Room) -> None:
        self._backend = backend
        self._cache = cache
        self._out = out
        self._room = room
        self._places: list[int] = []
        self._keys: list[bytes | None] = []
        self._images: list[Image.Image] = []
        self._size = 0

    def add(self, place: int, found: _Loaded, image: Image.Image) -> None:
        if not self._images:  # the others are still being decoded
            self._backend.expect_images(len(self._out))
        self._places.append(place)
        self._keys.append(found.key)
        self._images.append(image)
        self._size += found.size

    def is_full(self) -> bool:
        # Half the room, so that the next images are decoded while these are encoded.
        return len(self._images) == embeddings.IMAGE_BATCH or 2 * self._size > self._room.size

    def encode(self) -> dict[int, InputError]:
        """Encodes what waits; returns what the backend refuses, by place."""
        refused: dict[int, InputError] = {}
        try:
            self._encode(slice(None))
        except InputError:
            # One image of all is at fault; it may not cost the others.
            for i, place in enumerate(self._places):
                try:
                    self._encode(slice(i, i + 1))
                except InputError as error:
                    refused[place] = error
        self._room.give(self._size)
        self._places, self._keys, self._images, self._size = [], [], [], 0
        return refused

    def _encode(self, part: slice) -> None:
        if not self._images[part]:
            return
        rows = embeddings.encode_images(self._backend, self._images[part])
        self._out[self._places[part]] = rows
        self._cache.put(self._keys[part], rows)


def _load(place: int, path: ImageFile, cache: ImageCache, room: Room) -> _Loaded:
    taken = 0

    def admit(size: int) -> None:
        nonlocal taken
        room.take(place, size)
        taken = size

    sha256, key = "", None
    try:
        # Opened once, so that what is remembered and reported is what was decoded.
        with open_image(path) as file:
            sha256 = hash_image(file, path)
            key = cache.key(sha256)
            if (row := cache.get(key)) is not None:
                return _Loaded(sha256, key, row)
            file.seek(0)
            image = decode_image(file, path, admit)
        size = size_of(image)
        room.give(taken - size)
        return _Loaded(sha256, key, image, size)
    except InputError as error:
        room.give(taken)
        return _Loaded(sha256, key, error)


def _loaded(
    paths: Sequence[ImageFile], cache: ImageCache, room: Room
) -> Generator[_Loaded, None, None]:
    """Images in order, decoded up to two batches ahead of the encoder, or as far as is room."""
    ahead = 2 * embeddings.IMAGE_BATCH
    waiting: deque[Future[_Loaded]] = deque()
    pool = ThreadPoolExecutor(LOADERS)
    try:
        submitted = 0
        for due in range(len(paths)):
            while submitted < min(len(paths), due + ahead + 1):
                waiting.append(pool.submit(_load, submitted, paths[submitted], cache, room))
                submitted += 1
            room.expect(due)
            yield waiting.popleft().result()
    finally:
        room.close()
        pool.shutdown(cancel_futures=True)

"""Subjects' image files -> image embeddings: what is remembered, else decoded and encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import Image

from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.image_cache import ImageCache
from idia_index.encode.image_embeddings import Admit, encode_each
from idia_index.encode.images import decode_image, hash_image, open_image
from idia_index.errors import InputError
from idia_index.photos.crops import Crop
from idia_index.plugins import ORIGINAL
from idia_index.subjects.records import Skipped, Subject
from idia_index.support.text import shown_path
from idia_index.types import Float32, Int64


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
    crops = [subject.crop for subject in subjects]
    loader = _Loader(files, cache, rows, backend.wants_files, crops)
    for run, found in encode_each(backend, len(files), loader.load):
        done: list[int] = []
        for place, row in zip(run, found, strict=True):
            if isinstance(row, InputError):
                name = shown_path(files[place][1])
                loader.unread[place] = InputError(f"{name}: {row}")
            elif row is not None:
                rows[place] = row
                done.append(place)
        cache.put([loader.keys[place] for place in done], rows[done])
        progress(run.stop, len(files))
        wrong = [place for place in loader.unread if place in run]
        if strict and wrong:
            raise loader.unread[min(wrong)]
    return _encoded(subjects, files, rows, loader.hashes, loader.left_out())


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


class _Loader:
    """Reads files, in threads: each writes to its own place of the lists.

    Args:
        files: of each place, the subject and the file.
        cache: what is remembered.
        rows: float32 [M, D], where embeddings that are remembered go.
        original: whether images are given with the bytes of their files.
        crops: of each subject, what is cut out of the images.

    Attributes:
        hashes: SHA-256 of each file, empty where it could not be read.
        keys: what each is remembered by.
        unread: of places that cannot be read, why.
    """

    def __init__(
        self,
        files: Sequence[tuple[int, ImageFile]],
        cache: ImageCache,
        rows: Float32,
        original: bool,
        crops: Sequence[Crop | None],
    ) -> None:
        self._files, self._cache, self._rows = files, cache, rows
        self._original, self._crops = original, crops
        self.hashes = [""] * len(files)
        self.keys: list[bytes | None] = [None] * len(files)
        self.unread: dict[int, InputError] = {}
        # One person's photo in two copies is one vote, that of the first place.
        self._first: dict[tuple[int, str], int] = {}
        self._lock = Lock()

    def load(self, place: int, admit: Admit) -> Image.Image | None:
        """The image of a place; None where it is remembered, a copy, or cannot be read."""
        path, image = self._files[place][1], None
        try:
            # Opened once, so that what is remembered and reported is what was decoded.
            with open_image(path) as file:
                self.hashes[place] = hash_image(file, path)
                crop = self._crops[self._files[place][0]]
                cut = "" if crop is None else crop.key
                self.keys[place] = key = self._cache.key(self.hashes[place] + cut)
                if (row := self._cache.get(key)) is not None:
                    self._rows[place] = row
                else:
                    file.seek(0)
                    image = decode_image(file, path, admit)
                    image = image if crop is None else crop(image, path)
                    if self._original:
                        file.seek(0)
                        image.info[ORIGINAL] = file.read()
        except InputError as error:
            self.unread[place] = error
            return None
        which = self._which(place)
        with self._lock:
            first = self._first[which] = min(place, self._first.get(which, place))
        return image if first == place else None

    def left_out(self) -> dict[int, InputError]:
        """By place, why there is no embedding of it, when all are read."""
        copies = {
            place: RepeatedImageError(path, self._files[first][1])
            for place, (_, path) in enumerate(self._files)
            if place not in self.unread
            and (first := self._first.get(self._which(place), place)) != place
        }
        return self.unread | copies

    def _which(self, place: int) -> tuple[int, str]:
        return self._files[place][0], self.hashes[place]

"""Encodes subjects' image files, or takes their embeddings from the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.image_cache import ImageCache
from idia_index.encode.image_embeddings import run_size
from idia_index.errors import InputError
from idia_index.registry import engine_of
from idia_index.subjects.photo_runs import EncodePhotos, PhotoRows, PhotoRun, check_seen
from idia_index.subjects.records import Skipped, Subject
from idia_index.support.text import shown_path
from idia_index.types import Float32, Int64, quiet
from idia_index.worker_model import WorkerModel

PHOTOS = 64  # approximate photos per task of an engine with several workers


@dataclass(frozen=True)
class Encoded:
    """The images of all subjects.

    Attributes:
        embeddings: float32 [M, D], unit rows.
        owners: int64 [M], the subject of each.
        places: int64 [M], the index of each among all subjects' files, ascending.
        paths: the file of each.
        sha256: the hash of each file, as decoded.
        skipped: the files left out, by subject.
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
    progress: Callable[[int, int], None] = quiet,
) -> Encoded:
    """Encodes the images that are not in `cache`, and adds them.

    Raises:
        InputError: an image cannot be read, if `strict`.
    """
    files = [(n, path) for n, subject in enumerate(subjects) for path in subject.images]
    found = _Found(files, cache, np.empty((len(files), backend.fingerprint.dim), np.float32))
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(done, len(files))

    engine, size = engine_of(backend), run_size(backend, len(files))
    runs = engine.runs(len(files), size * max(1, PHOTOS // max(1, size)), max(1, size))
    crops = [subject.crop for subject in subjects]
    task = EncodePhotos(WorkerModel(backend), cache, crops, len(files), size, strict)
    photos = (PhotoRun(run.start, files[run.start : run.stop]) for run in runs)
    engine.run(task, photos, found.collect, tell)
    return _encoded(subjects, files, found.rows, found.hashes, found.left_out())


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
        super().__init__(f"{shown_path(path)}: the same bytes as {shown_path(first)}, counts once")


class _Found:
    """The combined results of all files.

    Args:
        files: the subject and path of each file.
        cache: receives new embeddings.
        rows: float32 [M, D], receives embeddings.

    Attributes:
        hashes: SHA-256 of each file, empty if unreadable.
    """

    def __init__(
        self, files: Sequence[tuple[int, ImageFile]], cache: ImageCache, rows: Float32
    ) -> None:
        self._files, self._cache, self.rows = files, cache, rows
        self.hashes = [""] * len(files)
        self._unread: dict[int, InputError] = {}
        # Two copies of one person's photo are one vote, that of the first.
        self._first: dict[tuple[int, str], int] = {}

    def collect(self, run: PhotoRun, found: PhotoRows) -> None:
        """Adds the result of a run."""
        places = slice(run.start, run.start + len(run.files))
        if len(run.files) == len(self._files):
            self.rows = found.rows  # not copied: they may be large
        else:
            self.rows[places] = found.rows
        self.hashes[places] = found.hashes
        for at, error in found.unread.items():
            if not found.hashes[at]:
                check_seen(run.files[at][1], error)
            self._unread[run.start + at] = error
        for at in found.loaded:
            self._first.setdefault(self._which(run.start + at), run.start + at)
        new = [at for at in found.encoded if self._cache.get(found.keys[at]) is None]
        self._cache.put([found.keys[at] for at in new], found.rows[new])

    def left_out(self) -> dict[int, InputError]:
        """Why a file has no embedding, by index, once all are read."""
        copies = {
            place: RepeatedImageError(path, self._files[first][1])
            for place, (_, path) in enumerate(self._files)
            if place not in self._unread
            and (first := self._first.get(self._which(place), place)) != place
        }
        return self._unread | copies

    def _which(self, place: int) -> tuple[int, str]:
        return self._files[place][0], self.hashes[place]

"""Encodes a run of image files: the task of an engine's worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import Image

from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.image_cache import ImageCache
from idia_index.encode.image_embeddings import Admit, encode_each
from idia_index.encode.images import decode_image, hash_image, open_image
from idia_index.errors import InputError
from idia_index.photos.crops import Crop
from idia_index.plugins import ORIGINAL, Task
from idia_index.plugins.engine import Tell
from idia_index.support.text import counted, shown_path
from idia_index.types import Float32
from idia_index.worker_model import WorkerModel


@dataclass(frozen=True)
class PhotoRun:
    """A run of files.

    Attributes:
        start: index of the first file among all.
        files: the subject and path of each file.
    """

    start: int
    files: Sequence[tuple[int, ImageFile]]

    def __str__(self) -> str:
        first, last = (shown_path(self.files[at][1]) for at in (0, -1))
        return f"{counted(len(self.files), 'photo')}, {first} to {last}"


@dataclass
class PhotoRows:
    """The result of a run; indices count from its start.

    Attributes:
        rows: float32 [n, D], unit rows, of files that were encoded or cached.
        hashes: SHA-256 of each file, empty if unreadable.
        keys: cache key of each file.
        encoded: indices of files encoded now.
        loaded: indices of files that were read or are cached.
        unread: why files cannot be used, by index.
    """

    rows: Float32
    hashes: list[str]
    keys: list[bytes | None]
    encoded: list[int]
    loaded: list[int]
    unread: dict[int, InputError]


@dataclass
class EncodePhotos(Task[PhotoRun, PhotoRows, PhotoRows]):
    """Encodes the photos of runs that are not cached.

    Attributes:
        model: the model.
        cache: cached embeddings; new ones are added if possible.
        crops: how each subject's images are cropped.
        count: number of photos in all, for models that load differently for many.
        size: photos encoded at a time.
        strict: whether an unusable photo is an error.
    """

    model: WorkerModel
    cache: ImageCache
    crops: Sequence[Crop | None]
    count: int
    size: int
    strict: bool

    def setup(self) -> None:
        """Loads the model if it is not yet loaded."""
        self.model.load()
        if self.count:
            self.model.backend.expect_images(self.count)

    def compute(self, given: PhotoRun, tell: Tell) -> PhotoRows:
        """The embeddings."""
        backend, count = self.model.backend, len(given.files)
        empty = np.zeros((count, backend.fingerprint.dim), np.float32)
        made = PhotoRows(empty, [""] * count, [None] * count, [], [], {})
        loader = _Loader(given.files, self.cache, made, backend.wants_files, self.crops)
        for run, found in encode_each(backend, count, loader.load, self.size):
            done: list[int] = []
            for at, row in zip(run, found, strict=True):
                if isinstance(row, InputError):
                    name = shown_path(given.files[at][1])
                    made.unread[at] = InputError(f"{name}: {row}")
                elif row is not None:
                    made.rows[at] = row
                    done.append(at)
            self.cache.put([made.keys[at] for at in done], made.rows[done])
            made.encoded += done
            tell(len(run))
            wrong = [at for at in made.unread if at in run]
            if self.strict and wrong:
                raise made.unread[min(wrong)]
        made.loaded.sort()
        return made


def check_seen(path: ImageFile, error: InputError) -> None:
    """Raises InputError for a file that this process can open but a worker could not."""
    try:
        open_image(path).close()
    except InputError:
        return
    raise InputError(
        f"a worker cannot read a file that this machine can ({error}); put the photos where all "
        "machines see them under the same path"
    )


class _Loader:
    """Reads files in threads; each writes to its own index of the lists.

    Args:
        files: the subject and path of each file.
        cache: cached embeddings.
        made: receives hashes, keys, errors and cached embeddings.
        original: whether images are passed with the bytes of their files.
        crops: how each subject's images are cropped.
    """

    def __init__(
        self,
        files: Sequence[tuple[int, ImageFile]],
        cache: ImageCache,
        made: PhotoRows,
        original: bool,
        crops: Sequence[Crop | None],
    ) -> None:
        self._files, self._cache, self._made = files, cache, made
        self._original, self._crops = original, crops
        self._first: dict[tuple[int, str], int] = {}
        self._lock = Lock()

    def load(self, at: int, admit: Admit) -> Image.Image | None:
        """The image at an index; None if it is cached, a copy, or unreadable."""
        made, (owner, path), image = self._made, self._files[at], None
        try:
            # Opened once, so that the cached and reported hash is of the decoded bytes.
            with open_image(path) as file:
                made.hashes[at] = hash_image(file, path)
                crop = self._crops[owner]
                cut = "" if crop is None else crop.key
                made.keys[at] = key = self._cache.key(made.hashes[at] + cut)
                if (row := self._cache.get(key)) is not None:
                    made.rows[at] = row
                else:
                    file.seek(0)
                    image = decode_image(file, path, admit)
                    image = image if crop is None else crop(image, path)
                    if self._original:
                        file.seek(0)
                        image.info[ORIGINAL] = file.read()
        except InputError as error:
            made.unread[at] = error
            return None
        which = owner, made.hashes[at]
        with self._lock:  # a copy need not be encoded
            made.loaded.append(at)
            first = self._first[which] = min(at, self._first.get(which, at))
        return image if first == at else None

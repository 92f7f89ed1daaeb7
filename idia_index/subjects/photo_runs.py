"""A run of image files -> image embeddings: what a worker of an engine does."""

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
        start: the place of the first among all.
        files: of each, the subject and the file.
    """

    start: int
    files: Sequence[tuple[int, ImageFile]]

    def __str__(self) -> str:
        first, last = (shown_path(self.files[at][1]) for at in (0, -1))
        return f"{counted(len(self.files), 'photo')}, {first} to {last}"


@dataclass
class PhotoRows:
    """What came of a run; places count from its start.

    Attributes:
        rows: float32 [n, D], unit rows, of places that were encoded or remembered.
        hashes: SHA-256 of each file, empty where it could not be read.
        keys: what each is remembered by.
        encoded: places that were encoded now.
        loaded: places whose image was read, or is remembered.
        unread: of places that cannot be used, why.
    """

    rows: Float32
    hashes: list[str]
    keys: list[bytes | None]
    encoded: list[int]
    loaded: list[int]
    unread: dict[int, InputError]


@dataclass
class EncodePhotos(Task[PhotoRun, PhotoRows, PhotoRows]):
    """Encodes the photos of runs that are not remembered.

    Attributes:
        model: the model.
        cache: what is remembered; told where it can be.
        crops: of each subject, what is cut out of the images.
        count: photos in all, as the model is told that loads for many otherwise than for few.
        size: photos that are encoded at a time.
        strict: whether a photo that cannot be used is an error.
    """

    model: WorkerModel
    cache: ImageCache
    crops: Sequence[Crop | None]
    count: int
    size: int
    strict: bool

    def setup(self) -> None:
        """Loads the model where it is not."""
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
    """Raises InputError for a file that a worker could not open, and this process can."""
    try:
        open_image(path).close()
    except InputError:
        return
    raise InputError(
        f"a worker cannot read what this machine can ({error}); put the photos where all machines "
        "see them under the same path"
    )


class _Loader:
    """Reads files, in threads: each writes to its own place of the lists.

    Args:
        files: of each place, the subject and the file.
        cache: what is remembered.
        made: where hashes, keys, errors and remembered embeddings go.
        original: whether images are given with the bytes of their files.
        crops: of each subject, what is cut out of the images.
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
        """The image of a place; None where it is remembered, a copy, or cannot be read."""
        made, (owner, path), image = self._made, self._files[at], None
        try:
            # Opened once, so that what is remembered and reported is what was decoded.
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

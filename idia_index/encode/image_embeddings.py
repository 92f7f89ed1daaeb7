"""Encodes images in threads: loads, fits and embeds a few images at a time.

Each thread takes a run of images through all steps. Of a decoded image only what the model sees
is kept, and no core waits for another: if only one thread can run the model, as on a GPU, the
others load the next images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Lock, Semaphore
from typing import TypeAlias

import numpy as np
from PIL import Image

from idia_index.encode.embeddings import unit_rows
from idia_index.encode.images import ImageSource, load_image, size_of
from idia_index.errors import InputError
from idia_index.plugins import BackendPlugin
from idia_index.support.concurrency import in_threads
from idia_index.support.threads import workers
from idia_index.types import Float32

ROOM = 512 << 20  # bytes; a photo of 12 million pixels takes 48 of these MiB


class Room:
    """The bytes that decoded images may take together.

    A thread that holds room never waits for more. An image larger than the total is admitted
    alone.
    """

    def __init__(self, size: int = ROOM) -> None:
        self.size = size
        self._used = 0
        self._changed = Condition()

    def take(self, size: int) -> None:
        """Waits until there is room for an image."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self.size)
            self._used += size

    def give(self, size: int) -> None:
        """Releases room."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()


# Images embedded at a time. With ViT-B-32 on one core, 8 take 4 % longer per image, and 32 no less.
IMAGE_BATCH = 16

Admit = Callable[[int], None]
# Loads the image at an index (None: nothing to embed); the argument is called with decoding's size.
Load = Callable[[int, Admit], Image.Image | None]
Found: TypeAlias = Float32 | InputError | None


def encode_images(backend: BackendPlugin, images: Sequence[ImageSource]) -> Float32:
    """Image embeddings float32 [n, D], unit rows, of paths or PIL images.

    Raises:
        InputError: an image cannot be read or prepared for the model; the first error.
    """
    given = Lock()  # an opened Pillow image is decoded by one thread

    def load(place: int, admit: Admit) -> Image.Image:
        source = images[place]
        if not isinstance(source, Image.Image):
            return load_image(source, admit)
        with given:
            return load_image(source)

    out = np.empty((len(images), backend.fingerprint.dim), np.float32)
    for run, found in encode_each(backend, len(images), load):
        for place, row in zip(run, found, strict=True):
            if isinstance(row, InputError):
                raise row
            out[place] = row
    return out


def run_size(backend: BackendPlugin, count: int) -> int:
    """Images embedded at a time, of `count`, so that all threads end at about the same time."""
    threads = _threads(backend)
    rounds = math.ceil(count / (threads * IMAGE_BATCH))
    return backend.image_batch or math.ceil(count / (threads * max(1, rounds)))


def _threads(backend: BackendPlugin) -> int:
    return backend.image_workers if backend.image_workers > 1 else workers()


def encode_each(
    backend: BackendPlugin, count: int, load: Load, size: int | None = None
) -> Iterator[tuple[range, list[Found]]]:
    """Runs of indices, in order, with the result of each.

    Args:
        backend: the model.
        count: number of images.
        load: called in threads.
        size: images per run; None: `run_size`.

    Yields:
        A run, and for each of its indices the embedding float32 [D], a unit row; the error; or
        None if `load` returned none.
    """
    if not count:
        return
    backend.expect_images(count)
    threads, size = _threads(backend), size or run_size(backend, count)
    runs = [range(start, min(start + size, count)) for start in range(0, count, size)]
    job = _Job(backend, load, Semaphore(backend.image_workers), Room(), threads)
    with backend.image_threads() as prepare:
        yield from in_threads(job.encode, runs, threads, prepare)


@dataclass(frozen=True)
class _Job:
    """The state that the threads share.

    Attributes:
        backend: the model.
        load: returns the image at an index.
        turn: held while the model runs.
        room: memory for decoded images.
        threads: number of threads.
    """

    backend: BackendPlugin
    load: Load
    turn: Semaphore
    room: Room
    threads: int

    def encode(self, run: range) -> list[Found]:
        """The result of each index of a run."""
        found: list[Found] = [None] * len(run)
        waiting: dict[int, Image.Image] = {}
        size = 0
        for at, place in enumerate(run):
            try:
                fitted = self._fitted(place)
            except InputError as error:
                found[at] = error
                continue
            if fitted is None:
                continue
            waiting[at] = fitted
            size += size_of(fitted)
            if 2 * size * self.threads > self.room.size:  # the backend does not fit images
                self._embed(waiting, found)
                waiting, size = {}, 0
        self._embed(waiting, found)
        return found

    def _fitted(self, place: int) -> Image.Image | None:
        taken = 0

        def admit(size: int) -> None:
            nonlocal taken
            self.room.take(size)
            taken = size

        try:
            image = self.load(place, admit)
            return None if image is None else self.backend.fit_image(image)
        finally:
            self.room.give(taken)

    def _embed(self, images: dict[int, Image.Image], found: list[Found]) -> None:
        if not images:
            return
        with self.turn:
            try:
                rows = self._rows(list(images.values()))
                found_now: list[Found] = list(rows)
            except InputError:
                # One image is at fault; the others must not suffer.
                found_now = [self._alone(image) for image in images.values()]
        for at, row in zip(images, found_now, strict=True):
            found[at] = row

    def _alone(self, image: Image.Image) -> Found:
        try:
            row: Float32 = self._rows([image])[0]
        except InputError as error:
            return error
        return row

    def _rows(self, images: list[Image.Image]) -> Float32:
        return unit_rows(self.backend.embed_images(images), self.backend, "image")

"""Which of a person's images a draw takes: seeded, replayable, the same on every machine.

The drawing is defined by raw words of PCG64 and integers. NumPy keeps that stream from
release to release, but not those of `Generator.choice`. Anyone can repeat it:

    words  = PCG64(SeedSequence([SEED, four 32-bit words of SHA-256 of the person's name]))
    a draw of m of n images, number r, reads the n words from place m * 2**40 + r * n
    each word's low 16 bits are replaced by the image's number; the m smallest are drawn

So what is drawn for one person depends neither on the other people nor on which other sizes or
how many draws are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.support.text import shown

ALGORITHM = "idia-index draws/1"
"""Names the way of drawing; a change that draws other images gets another number."""

MAX_IMAGES = 1 << 16
_PLACE_BITS = 40

Bool = NDArray[np.bool_]


def person_words(name: str) -> list[int]:
    """Four 32-bit words that stand for a person's name in a seed."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return [int(word) for word in np.frombuffer(digest[:16], "<u4")]


def raw_stream(seed: int, words: Sequence[int] = ()) -> np.random.PCG64:
    """The raw stream of a seed and the words that name its use; only `random_raw` is read."""
    return np.random.PCG64(np.random.SeedSequence([seed, *words]))


def check_images(name: str, images: int) -> None:
    """Raises InputError for more images of a person than can be drawn from."""
    if images > MAX_IMAGES:
        raise InputError(
            f"{shown(name)} has {images} images; draws take {MAX_IMAGES} at most: give fewer, or "
            "audit without --out"
        )


def draw_images(name: str, images: int, sizes: Sequence[int], draws: int, seed: int) -> Bool:
    """Draws without replacement from one person's images.

    Args:
        name: the person, which the stream belongs to.
        images: n, how many images there are, 1 to 65,536.
        sizes: images of a draw, each 1 to n, ascending.
        draws: R, how often each size is drawn, 1 or more.
        seed: any integer from 0.

    Returns:
        bool [S, R, n]: which images are in each draw; exactly `sizes[s]` of them.

    Raises:
        InputError: a size or the number of images is out of range.
    """
    check_images(name, images)
    if not sizes or list(sizes) != sorted(set(sizes)) or not 1 <= sizes[0] <= sizes[-1] <= images:
        raise InputError(
            f"sizes {shown(list(sizes))}: pass ascending numbers from 1 to the {images} images of "
            f"{shown(name)}"
        )
    stream = raw_stream(seed, person_words(name))
    drawn = np.zeros((len(sizes), draws, images), np.bool_)
    place = 0
    for row, size in enumerate(sizes):
        if size == images:  # every draw is everything
            drawn[row] = True
            continue
        target = size << _PLACE_BITS
        stream.advance(target - place)
        words = stream.random_raw(draws * images).reshape(draws, images)
        place = target + draws * images
        # Distinct keys, so that exactly `size` of them are at most the size-th smallest.
        keys = (words & ~np.uint64(0xFFFF)) | np.arange(images, dtype=np.uint64)
        drawn[row] = keys <= np.sort(keys, axis=1)[:, size - 1 : size]
    return drawn


def resamples(seed: int, people: int, count: int) -> NDArray[np.float32]:
    """How often each person is in each bootstrap sample of the people.

    Args:
        seed: any integer from 0.
        people: P, 1 or more.
        count: B, number of samples.

    Returns:
        float32 [B, P], integers; each row sums to P.
    """
    words = raw_stream(seed, [people, 0xB007]).random_raw(count * people)
    # A remainder of 64 bits favours small numbers by less than 1 in 10**10.
    chosen = (words % np.uint64(people)).astype(np.int64).reshape(count, people)
    flat = chosen + people * np.arange(count)[:, None]
    counts = np.bincount(flat.ravel(), minlength=count * people).reshape(count, people)
    return counts.astype(np.float32)


def shuffled(seed: int, count: int, *words: int) -> NDArray[np.int64]:
    """A permutation int64 [count] that depends on the raw stream only."""
    keys = raw_stream(seed, words).random_raw(count)
    return np.argsort(keys, kind="stable").astype(np.int64)

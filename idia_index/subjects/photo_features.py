"""Computes features of photos without any model: sizes, sharpness, EXIF and coarse colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idia_index.encode.images import decode_image, open_image
from idia_index.errors import InputError
from idia_index.subjects.records import Subject

PHOTOS = 4
"""Photos used per person: reading each again takes as long as decoding it."""

GRID, SIDE = 4, 64
FEATURES = 3 * GRID * GRID + 5

Features = NDArray[np.float64]


def photo_features(subjects: Sequence[Subject]) -> Features:
    """The mean over each subject's first photos, float64 [P, FEATURES]; 0 if none is left."""
    return np.stack([_person(subject) for subject in subjects])


def _person(subject: Subject) -> Features:
    rows = []
    for path in subject.images[:PHOTOS]:
        try:
            with open_image(path) as file:
                image = decode_image(file, path)
                size = file.seek(0, 2)
        except InputError:  # was read for the audit and has since disappeared
            continue
        small = np.asarray(image.convert("L").resize((SIDE, SIDE)), np.float64)
        edges = 4 * small[1:-1, 1:-1] - small[:-2, 1:-1] - small[2:, 1:-1]
        edges -= small[1:-1, :-2] + small[1:-1, 2:]
        numbers = [math.log1p(size), math.log(image.width), math.log(image.height),
                   float("exif" in image.info), math.log1p(float(edges.var()))]  # fmt: skip
        colours = np.asarray(image.convert("RGB").resize((GRID, GRID)), np.float64) / 255
        rows.append(np.concatenate([numbers, colours.ravel()]))
    out: Features = np.mean(rows, axis=0) if rows else np.zeros(FEATURES)
    return out

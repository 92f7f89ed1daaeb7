"""Whose photos a name is tried on besides the person's own: other subjects, a seeded draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.draws import shuffled
from idia_index.plugins import BackendPlugin
from idia_index.types import Int64

REFERENCE = 20
"""Other people that it takes to say how much a name attracts photos of anybody."""

MOST = 1000
"""References at the most; so no name-fixed p-value is smaller than 0.001."""

CLIP_LOGIT_SCALE = 100.0
"""Where CLIP's training caps it, and where large models end."""


@dataclass(frozen=True)
class LogitScale:
    """What a model multiplies cosine similarities by, and whether that was assumed."""

    value: float
    assumed: bool

    @classmethod
    def of(cls, backend: BackendPlugin) -> LogitScale:
        """The backend's own, or CLIP's usual one where it does not say."""
        known = backend.logit_scale
        return cls(CLIP_LOGIT_SCALE, True) if known is None else cls(known, False)


@dataclass(frozen=True)
class References:
    """R of P subjects.

    Attributes:
        people: places int64 [R] among the subjects, ascending; none of them if there are too few.
        places: of each subject among the references; None where not one of them.
        sexes: "f", "m" or None of each subject, by the first name.
    """

    people: Int64
    places: tuple[int | None, ...]
    sexes: tuple[str | None, ...]

    @classmethod
    def among(cls, subjects: int, sexes: Sequence[str | None], seed: int) -> References:
        """A seeded draw of at most `MOST` subjects, or nobody of too few."""
        count = MOST if subjects > REFERENCE else 0
        people = np.sort(shuffled(seed, subjects, 0x4EF)[:count]).astype(np.int64)
        place = {int(person): number for number, person in enumerate(people)}
        return cls(people, tuple(map(place.get, range(subjects))), tuple(sexes))

    def comparable(self, subject: int) -> NDArray[np.bool_]:
        """References of the subject's sex, bool [R]; all where too few are known to be.

        A name of one sex fits photos of the other worse whoever is on them, so that they would
        make the subject's own photos stand out.
        """
        own = self.sexes[subject]
        alike = np.array([self.sexes[p] == own for p in self.people.tolist()], np.bool_)
        enough = own is not None and alike.sum() > REFERENCE
        return alike if enough else np.ones(len(self.people), np.bool_)

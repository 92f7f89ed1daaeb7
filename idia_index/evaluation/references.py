"""Whose photos a name is tried on besides the person's own: reference faces, or other subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.pmi import Photos, Trial
from idia_index.plugins import BackendPlugin

REFERENCE = 20
"""Other people that it takes to say how much a name attracts photos of anybody."""

MOST = 1000
"""Maximum number of subjects used, so that no name-fixed p-value is smaller than 0.001."""

CLIP_LOGIT_SCALE = 100.0
"""Where CLIP's training caps it, and where large models end."""

SEXES = ("f", "m")

Bool = NDArray[np.bool_]


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
    """R people whose photos a subject's name is tried on.

    Attributes:
        photos: theirs; None where there are too few people.
        sexes: "f", "m" or None of each of them.
        places: of each subject among them; None where not one of them.
        of_subjects: "f", "m" or None of each subject, by the first name.
    """

    photos: Photos | None
    sexes: tuple[str | None, ...]
    places: tuple[int | None, ...]
    of_subjects: tuple[str | None, ...]

    @classmethod
    def among(cls, photos: Photos, sexes: Sequence[str | None], seed: int) -> References:
        """A seeded draw of at most `MOST` of the subjects, or nobody of too few."""
        subjects = len(photos)
        count = MOST if subjects > REFERENCE else 0
        people = np.sort(shuffled(seed, subjects, 0x4EF)[:count]).astype(np.int64)
        place = {int(person): number for number, person in enumerate(people)}
        return cls(
            photos=photos.take(people) if count else None,
            sexes=tuple(sexes[person] for person in people.tolist()),
            places=tuple(map(place.get, range(subjects))),
            of_subjects=tuple(sexes),
        )

    @classmethod
    def given(
        cls, photos: Photos, sexes: Sequence[str | None], of_subjects: Sequence[str | None]
    ) -> References:
        """Reference faces, none of them a subject's."""
        nowhere = (None,) * len(of_subjects)
        return cls(photos, tuple(sexes), nowhere, tuple(of_subjects))

    def comparable(self, subject: int) -> list[Bool]:
        """References that the subject is held against, bool [R]; the worst answer of all counts.

        A name of one sex fits photos of the other worse whoever is on them, so that they would
        make the subject's own photos stand out. A subject whose sex the name does not tell is
        held against either. Where too few are of the sex, everybody is comparable.
        """
        own = self.of_subjects[subject]
        alike = [self._of_sex[sex] for sex in (SEXES if own is None else (own,))]
        if all(each.sum() > REFERENCE for each in alike):
            return alike
        return [np.ones(len(self.sexes), np.bool_)]

    @cached_property
    def _of_sex(self) -> dict[str, Bool]:
        return {sex: np.array([each == sex for each in self.sexes], np.bool_) for sex in SEXES}

    def trial(self, subject: int, photos: int) -> Trial:
        """As many photos as the subject has, or as at least half of those comparable have."""
        if self.photos is None:
            return Trial(None, photos)
        place, sizes = self.places[subject], np.diff(self.photos.offsets)
        for comparable in self.comparable(subject):
            others = comparable.copy()
            if place is not None:
                others[place] = False
            descending = np.sort(sizes[others])[::-1]
            needed = min(max(REFERENCE, (len(descending) + 1) // 2), len(descending))
            photos = min(photos, int(descending[needed - 1])) if needed else photos
        return Trial(place, photos)

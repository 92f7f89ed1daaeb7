"""Non-members whose names look like the members', so that the name alone cannot give them away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.evaluation.auc import auc
from idia_index.prompts.names import name_key
from idia_index.prompts.sampling import NamePool

FEATURES = ("words", "letters", "first_name_frequency", "last_name_frequency")
_CLOSE = 0.6  # area under the curve from which one feature tells the groups apart too well

_Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureLikeness:
    """One feature of names, of members and of those drawn.

    Attributes:
        members, drawn: the mean of each.
        difference_in_sd: the difference in standard deviations.
        auc: area under the curve of telling them apart by it alone.
    """

    members: float
    drawn: float
    difference_in_sd: float
    auc: float


@dataclass(frozen=True)
class FemaleShare:
    """Share of women, of those whose sex the first name tells; null where it tells nobody's."""

    members: float | None
    drawn: float | None


@dataclass(frozen=True)
class Likeness:
    """How well drawn names match the members.

    Attributes:
        names: drawn, in the order of the draw.
        features: each feature of names.
        female_share: of members and drawn names.
        well_matched: whether no feature's area is past 0.6 either way, nor sex apart by 10 %.
    """

    names: tuple[str, ...]
    features: Mapping[str, FeatureLikeness]
    female_share: FemaleShare
    well_matched: bool


def draw_alike(
    members: Sequence[str], candidates: Sequence[str], n: int, seed: int, pool: NamePool
) -> Likeness:
    """Draws n candidates: members take turns in a random order, each the one most like it.

    Sex and number of words are equal where a candidate with the same is left.

    Args:
        members: names to be like.
        candidates: names that appear in no caption.
        pool: says which sex first names have and how frequent both parts are.

    Raises:
        InputError: there are no members or fewer than n candidates.
    """
    if not members:
        raise InputError("no member to resemble: search captions in which some names appear")
    if len(candidates) < n:
        raise InputError(
            f"{n} names: {len(candidates)} appear in no caption; search more names "
            "(--propose FILE writes some), or draw fewer"
        )
    describe = _Describer(pool)
    ours, sexes = describe.all(members)
    theirs, other_sexes = describe.all(candidates)
    scale = np.maximum(ours.std(axis=0), 1e-9)
    rng = np.random.default_rng(seed)
    free = np.ones(len(candidates), np.bool_)
    taken: list[int] = []
    order: list[int] = []
    while len(taken) < n:
        order = order or rng.permutation(len(members)).tolist()
        member = order.pop()
        distance = (((theirs - ours[member]) / scale) ** 2).sum(axis=1)
        distance += 1e3 * (other_sexes != sexes[member])
        distance += 1e2 * (theirs[:, 0] != ours[member, 0])
        distance[~free] = np.inf
        taken.append(int(distance.argmin()))
        free[taken[-1]] = False
    return _likeness([candidates[k] for k in taken], ours, theirs[taken], sexes,
                     other_sexes[taken])  # fmt: skip


class _Describer:
    """Features of names: float64 [n, 4], and sexes as 0 unknown, 1 female, 2 male."""

    def __init__(self, pool: NamePool) -> None:
        self._sexes: dict[str, int] = {}
        self._firsts: dict[str, float] = {}
        for number, sex in ((1, "f"), (2, "m")):
            names = pool.firsts[sex]
            for name, weight in zip(names.names, names.weights.tolist(), strict=True):
                self._sexes[name_key(name)] = number
                self._firsts[name_key(name)] = np.log1p(weight)
        self._lasts = {
            name_key(name): float(np.log1p(weight))
            for name, weight in zip(pool.lasts.names, pool.lasts.weights.tolist(), strict=True)
        }

    def all(self, names: Sequence[str]) -> tuple[_Float64, NDArray[np.int64]]:
        keys = [name_key(name).split(" ") for name in names]
        table = [
            (
                float(len(words)),
                float(sum(map(len, words))),
                self._firsts.get(words[0], 0.0),
                self._lasts.get(words[-1], 0.0),
            )
            for words in keys
        ]
        sexes = [self._sexes.get(words[0], 0) for words in keys]
        return np.array(table).reshape(-1, len(FEATURES)), np.array(sexes, np.int64)


def _likeness(
    names: list[str],
    ours: _Float64,
    theirs: _Float64,
    sexes: NDArray[np.int64],
    other_sexes: NDArray[np.int64],
) -> Likeness:
    features = {}
    for column, feature in enumerate(FEATURES):
        a, b = ours[:, column], theirs[:, column]
        spread = float(np.sqrt((a.var() + b.var()) / 2))
        difference = float(b.mean() - a.mean())
        apart = difference / spread if spread else float(difference != 0)
        features[feature] = FeatureLikeness(float(a.mean()), float(b.mean()), apart, auc(b, a))
    shares = FemaleShare(_female(sexes), _female(other_sexes))
    close = all(1 - _CLOSE <= each.auc <= _CLOSE for each in features.values())
    if shares.members is not None and shares.drawn is not None:
        close &= abs(shares.members - shares.drawn) <= 0.1
    return Likeness(tuple(names), features, shares, close)


def _female(sexes: NDArray[np.int64]) -> float | None:
    known = sexes[sexes > 0]
    return float((known == 1).mean()) if len(known) else None

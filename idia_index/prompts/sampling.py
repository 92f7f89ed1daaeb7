"""Candidate names drawn from name statistics: first x last, half female, half male, replayable.

The drawing is defined by SHAKE-256 and integers, not by a library's generator: NumPy keeps
the streams of its bit generators but not those of `Generator.choice`, and a list of candidates
must be the same on every machine, years later. Anyone can repeat it in a few lines:

    words = SHAKE-256("idia-index names/1 SEX BLOCK SEED"), as little-endian uint64, two a pair;
            a block is 4096 pairs, SEX is f or m, BLOCK counts from 0
    first, last = each word modulo the total weight, looked up in the cumulated weights
            (uniform: every weight is 1)
    a pair that occurred before, or that is excluded, is skipped
    female and male pairs take turns, a female one first

So the first n names are the same whatever the size of the sample.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import IdiaIndexError, InputError
from idia_index.prompts.names import name_key
from idia_index.support.text import shown

ORIGINS = ("us", "es", "fi")
"""Countries whose statistics ship with the package; see `data/names/PROVENANCE.md`."""

ALGORITHM = "idia-index names/1"
"""Identifies the sampling algorithm; a change that draws other names gets a new number."""

_BLOCK = 4096
# If nearly all names are taken, drawing could continue forever; this takes all of a uniform 10**9.
_MAX_DRAWS_PER_NAME = 64

_Int64 = NDArray[np.int64]


class SampledName(NamedTuple):
    """A drawn name: `name` is `first`, a space and `last`; `sex` is "f" or "m"."""

    name: str
    sex: str
    first: str
    last: str


@dataclass(frozen=True)
class WeightedNames:
    """Names in the order of the data file; weights int64 [n], how often each occurs, >= 1."""

    names: tuple[str, ...]
    weights: _Int64


@dataclass(frozen=True)
class NamePool:
    """First and last names of one origin. No first name is in both lists.

    A first name of both sexes stands only where it is more frequent (equal: female), and last
    names that make one full name of two pairs are left out: no two pairs share a `name_key`.

    Attributes:
        origin: one of `ORIGINS`.
        version: version of the data.
        title: what it is, for people.
        sha256: of the data file's content (unpacked: packing may differ between zlib versions).
        firsts, lasts: first names by sex ("f" and "m"), and last names.
    """

    origin: str
    version: str
    title: str
    sha256: str
    firsts: dict[str, WeightedNames]
    lasts: WeightedNames

    @property
    def id(self) -> str:
        """What a record must hold to replay a sample, beside its arguments."""
        return f"{self.origin}/{self.version}/sha256:{self.sha256}"

    def size(self, sex: str) -> int:
        """Number of full names of a sex."""
        return len(self.firsts[sex].names) * len(self.lasts.names)


@dataclass(frozen=True)
class Draw:
    """How to draw: see `sample_names`. `excluded` are `name_key`s, sorted, each once."""

    seed: int
    weighted: bool
    excluded: tuple[str, ...]


class NameSample(Sequence[SampledName]):
    """Drawn names, female and male in turn, a female one first; each made when it is asked for.

    `firsts` and `lasts`, int64 [n], are positions in the first names of the sex and in the last
    names of `pool`.
    """

    def __init__(self, pool: NamePool, firsts: _Int64, lasts: _Int64, draw: Draw) -> None:
        self.pool, self.firsts, self.lasts, self._draw = pool, firsts, lasts, draw

    def __len__(self) -> int:
        return len(self.firsts)

    @overload
    def __getitem__(self, index: int) -> SampledName: ...
    @overload
    def __getitem__(self, index: slice) -> list[SampledName]: ...
    def __getitem__(self, index: int | slice) -> SampledName | list[SampledName]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        sex = "fm"[i % 2]
        first = self.pool.firsts[sex].names[int(self.firsts[i])]
        last = self.pool.lasts.names[int(self.lasts[i])]
        return SampledName(f"{first} {last}", sex, first, last)

    def names(self) -> list[str]:
        """The full names, in order; a million take about 0.3 s."""
        out = [""] * len(self)
        lasts = self.pool.lasts.names
        for offset, sex in enumerate("fm"):
            firsts = self.pool.firsts[sex].names
            pairs = zip(
                self.firsts[offset::2].tolist(), self.lasts[offset::2].tolist(), strict=True
            )
            out[offset::2] = [f"{firsts[first]} {lasts[last]}" for first, last in pairs]
        return out

    def recipe(self) -> dict[str, Any]:
        """What replays the sample, for a manifest, in JSON values.

        `excluded_sha256` is of the sorted `name_key`s of the excluded names, one a line.
        """
        excluded = "".join(f"{key}\n" for key in self._draw.excluded)
        return {
            "algorithm": ALGORITHM,
            "pool": self.pool.id,
            "n": len(self),
            "seed": self._draw.seed,
            "weighted": self._draw.weighted,
            "excluded": len(self._draw.excluded),
            "excluded_sha256": hashlib.sha256(excluded.encode("utf-8")).hexdigest(),
        }


def sample_names(
    n: int,
    seed: int,
    *,
    weighted: bool = False,
    origin: str = "us",
    exclude: Iterable[str] = (),
) -> NameSample:
    """Draws n distinct full names, half female and half male (n odd: one more female).

    A sample is a prefix of every larger one with otherwise equal arguments.

    Args:
        n: number of names, at least 1.
        seed: an integer of at least 0.
        weighted: draw by frequency (first and last names independently, repeats skipped), so
            that common names come early; otherwise every pair is equally likely.
        origin: one of `ORIGINS`.
        exclude: names not to draw (the subjects'), compared by `name_key`.

    Raises:
        InputError: an argument is out of range, or the pool has too few names.
    """
    pool = load_pool(origin)
    for what, value, least in (("number of names", n, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{what} {shown(value)}: pass an integer of at least {least}")
    excluded = sorted({name_key(name) for name in exclude})
    draw = Draw(int(seed), bool(weighted), tuple(excluded))
    return draw_names(pool, int(n), draw)


def draw_names(pool: NamePool, n: int, draw: Draw) -> NameSample:
    """As `sample_names`, from any pool; n is 1 or more."""
    pairs = []
    for offset, sex in enumerate("fm"):
        banned = _banned(pool, sex, draw.excluded)
        need = len(range(offset, n, 2))
        if need > pool.size(sex) - len(banned):
            raise InputError(
                f"{n} names: origin {pool.origin!r} has {pool.size(sex)} names of sex {sex!r}, "
                f"{len(banned)} of them excluded: draw fewer"
            )
        pairs.append(_distinct_pairs(pool, sex, need, draw, banned))
    both = np.empty(n, np.int64)
    both[::2], both[1::2] = pairs
    firsts, lasts = np.divmod(both, len(pool.lasts.names))
    return NameSample(pool, firsts, lasts, draw)


def _distinct_pairs(pool: NamePool, sex: str, need: int, draw: Draw, banned: _Int64) -> _Int64:
    """The first `need` different pairs of the stream, int64, as first * len(lasts) + last."""
    kept: _Int64 = np.empty(0, np.int64)
    blocks, more = 0, need // _BLOCK + 1
    while len(kept) < need:
        if blocks * _BLOCK > _MAX_DRAWS_PER_NAME * (need + _BLOCK):
            raise InputError(
                f"{need} names of sex {sex!r}: origin {pool.origin!r} is nearly exhausted, most "
                "draws are repeats: draw fewer, or draw without weights"
            )
        fresh = np.concatenate([_pairs(pool, sex, b, draw) for b in range(blocks, blocks + more)])
        fresh = fresh[~np.isin(fresh, banned)]
        everything = np.concatenate((kept, fresh))
        _, seen_at = np.unique(everything, return_index=True)
        kept = everything[np.sort(seen_at)]
        blocks += more
        more = blocks // 4 + 1
    return kept[:need]


def _pairs(pool: NamePool, sex: str, block: int, draw: Draw) -> _Int64:
    """One block of the stream, int64 [4096]."""
    text = f"{ALGORITHM} {sex} {block} {draw.seed}"
    stream = hashlib.shake_256(text.encode("ascii")).digest(16 * _BLOCK)
    words = np.frombuffer(stream, dtype="<u8").reshape(_BLOCK, 2)
    first = _pick(words[:, 0], pool.firsts[sex].weights, draw.weighted)
    last = _pick(words[:, 1], pool.lasts.weights, draw.weighted)
    return first * len(pool.lasts.names) + last


def _pick(words: NDArray[np.uint64], weights: _Int64, weighted: bool) -> _Int64:
    # A remainder of 64 bits favours small numbers by less than 1 in 10**10 for totals of 10**9.
    if not weighted:
        return (words % np.uint64(len(weights))).astype(np.int64)
    ends = np.cumsum(weights, dtype=np.int64)
    targets = (words % np.uint64(ends[-1])).astype(np.int64)
    return np.searchsorted(ends, targets, side="right").astype(np.int64)


def _banned(pool: NamePool, sex: str, excluded: Collection[str]) -> _Int64:
    """The pairs whose full name is excluded, int64."""
    if not excluded:
        return np.empty(0, np.int64)
    firsts = {name_key(name): i for i, name in enumerate(pool.firsts[sex].names)}
    lasts = {name_key(name): i for i, name in enumerate(pool.lasts.names)}
    found = []
    for key in excluded:
        words = key.split(" ")
        for cut in range(1, len(words)):
            first, last = firsts.get(" ".join(words[:cut])), lasts.get(" ".join(words[cut:]))
            if first is not None and last is not None:
                found.append(first * len(lasts) + last)
    return np.array(found, dtype=np.int64)


@cache
def load_pool(origin: str = "us") -> NamePool:
    """The pool of an origin.

    Raises `InputError` for one not among `ORIGINS`, `IdiaIndexError` for a damaged data file.
    """
    if origin not in ORIGINS:
        raise InputError(f"origin {shown(origin)} of names: choose one of {', '.join(ORIGINS)}")
    file = resources.files("idia_index") / "data" / "names" / f"{origin}.tsv.gz"
    try:
        with file.open("rb") as packed, gzip.open(packed) as unpacked:
            content = unpacked.read()
        return parse_pool(content)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise IdiaIndexError(f"{file}: {error}; reinstall idia-index") from error


def parse_pool(content: bytes) -> NamePool:
    """The pool of a data file's content, as PROVENANCE.md describes it, else ValueError."""
    header, _, rows = content.decode("utf-8").removesuffix("\n").partition("\n")
    _, origin, version, title = header.split("\t")
    # In bulk: a query reads up to 94,000 rows.
    fields = rows.replace("\n", "\t").split("\t")
    kinds, names, weights = fields[::3], fields[1::3], list(map(int, fields[2::3]))
    ends = [0, *np.cumsum([kinds.count(kind) for kind in "fml"]).tolist()]
    if kinds != sorted(kinds, key="fml".index) or min(weights) < 1 or not all(np.diff(ends)):
        raise ValueError("its rows must be f, m or l in this order, a name, and a weight above 0")
    f, m, lasts = (
        WeightedNames(tuple(names[start:end]), np.array(weights[start:end], np.int64))
        for start, end in pairwise(ends)
    )
    sha256 = hashlib.sha256(content).hexdigest()
    return NamePool(origin, version, title, sha256, {"f": f, "m": m}, lasts)

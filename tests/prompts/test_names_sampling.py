"""Sampled names: repeated by a slow independent program, distinct, balanced, extensible."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.errors import IdiaIndexError, InputError
from idia_index.prompts import sampling as name_pool
from idia_index.prompts.names import name_key
from idia_index.prompts.sampling import (
    ALGORITHM,
    ORIGINS,
    Draw,
    NamePool,
    draw_names,
    load_pool,
    parse_pool,
    sample_names,
)


def _slow_names(pool: NamePool, n: int, draw: Draw) -> list[str]:
    """The drawing as `name_pool` describes it, a name at a time, without numpy."""

    def pick(word: int, names: tuple[str, ...], weights: list[int]) -> str:
        target = word % sum(weights)
        for name, weight in zip(names, weights, strict=True):
            target -= weight
            if target < 0:
                return name
        raise AssertionError("the target is below the sum of the weights")

    def stream(sex: str) -> Iterator[str]:
        tables = pool.firsts[sex], pool.lasts
        weights = [t.weights.tolist() if draw.weighted else [1] * len(t.names) for t in tables]
        seen = set(draw.excluded)
        for block in range(10**6):
            text = f"idia-index names/1 {sex} {block} {draw.seed}"
            data = hashlib.shake_256(text.encode()).digest(4096 * 16)
            for at in range(0, len(data), 16):
                words = [int.from_bytes(data[i : i + 8], "little") for i in (at, at + 8)]
                name = " ".join(map(pick, words, (t.names for t in tables), weights))
                if name_key(name) not in seen:
                    seen.add(name_key(name))
                    yield name

    streams = [stream("f"), stream("m")]
    return [next(streams[i % 2]) for i in range(n)]


def _pool(females: int, males: int, lasts: int, weight: int = 1) -> NamePool:
    rows = [
        (kind, f"{kind}{i}", 1 + weight * i)
        for kind, count in (("f", females), ("m", males), ("l", lasts))
        for i in range(count)
    ]
    lines = "".join(f"{kind}\t{name.title()}\t{n}\n" for kind, name, n in rows)
    return parse_pool(f"#\ttest\t1\tA test\n{lines}".encode())


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_slow_program_draws_the_same(origin: str, weighted: bool) -> None:
    for n, seed in ((1, 0), (24, 7), (25, 2**70)):
        sample = sample_names(n, seed, weighted=weighted, origin=origin)
        assert sample.names() == _slow_names(load_pool(origin), n, Draw(seed, weighted, ()))


@settings(max_examples=30)
@given(st.data(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_small_pools_are_drawn_as_by_the_slow_program(
    data: st.DataObject, females: int, males: int, lasts: int, weighted: bool
) -> None:
    pool = _pool(females, males, lasts)
    names = [
        f"{first} {last}"
        for sex in "fm"
        for first in pool.firsts[sex].names
        for last in pool.lasts.names
    ]
    excluded = data.draw(st.lists(st.sampled_from(names), max_size=len(names) - 1, unique=True))
    draw = Draw(data.draw(st.integers(0, 99)), weighted, tuple(sorted(map(name_key, excluded))))
    left = Counter(name[0] for name in names if name not in excluded)
    most = min(2 * left["F"], 2 * left["M"] + 1)
    if most:
        sample = draw_names(pool, most, draw)
        assert sample.names() == _slow_names(pool, most, draw)
    with pytest.raises(InputError, match="draw fewer"):
        draw_names(pool, most + 1, draw)


@pytest.mark.slow
@pytest.mark.parametrize(("origin", "weighted"), [("us", False), ("us", True)])
def test_a_million_are_distinct_balanced_and_replayed(origin: str, weighted: bool) -> None:
    sample = sample_names(1_000_000, 3, weighted=weighted, origin=origin)
    names = sample.names()
    assert len(names) == len(sample) == 1_000_000
    assert len(set(map(name_key, names))) == 1_000_000
    pool = load_pool(origin)
    assert not set(pool.firsts["f"].names) & set(pool.firsts["m"].names)
    for i in range(0, 1_000_000, 9973):
        name, sex, first, last = sample[i]
        assert name == names[i] == f"{first} {last}" and sex == "fm"[i % 2]
        assert first in pool.firsts[sex].names and last in pool.lasts.names
    fewer = sample_names(54_321, 3, weighted=weighted, origin=origin)
    assert fewer.names() == names[:54_321]
    other = sample_names(54_321, 4, weighted=weighted, origin=origin)
    assert other.names() != fewer.names()


def test_halves_of_even_and_odd_samples() -> None:
    for n in (1, 2, 9, 10):
        sexes = Counter(drawn.sex for drawn in sample_names(n, 1))
        assert (sexes["f"], sexes["m"]) == ((n + 1) // 2, n // 2)
    sample = sample_names(10, 1)
    assert [s.name for s in sample] == sample.names()
    assert sample[2:7:2] == [sample[2], sample[4], sample[6]] and sample[-1] == sample[9]
    with pytest.raises(IndexError):
        sample[10]


@pytest.mark.parametrize("origin", ORIGINS)
def test_weighted_follows_the_weights_and_uniform_does_not(origin: str) -> None:
    """Share of the ten most frequent last names among 4,000 names, within 5 deviations."""
    lasts = load_pool(origin).lasts
    top = set(lasts.names[:10])
    for weighted in (False, True):
        drawn = sample_names(4_000, 11, weighted=weighted, origin=origin)
        share = sum(name.last in top for name in drawn) / len(drawn)
        wanted = (
            Fraction(int(lasts.weights[:10].sum()), int(lasts.weights.sum()))
            if weighted
            else Fraction(10, len(lasts.names))
        )
        # Repeats are skipped, which takes a little from the most frequent names.
        assert abs(share - wanted) < 5 * (float(wanted) / 4_000) ** 0.5 + 0.1 * float(wanted)


def test_excluded_names_are_not_drawn_and_nothing_else_moves() -> None:
    plain = sample_names(2_000, 5, origin="es").names()
    excluded = [plain[0].upper(), f" {plain[7]} ", "Nobody Such", plain[1999]]
    sample = sample_names(1_997, 5, origin="es", exclude=excluded)
    wanted = [name for name in plain if name_key(name) not in set(map(name_key, excluded))]
    females = [s.name for s in sample if s.sex == "f"]
    assert females[:990] == [n for n in wanted if n in set(plain[::2])][:990]
    assert not set(map(name_key, excluded)) & set(map(name_key, sample.names()))


def test_the_recipe_replays() -> None:
    sample = sample_names(100, 9, weighted=True, origin="fi", exclude=["B", "a  B"])
    recipe = json.loads(json.dumps(sample.recipe()))
    content = _content("fi")
    assert recipe == {
        "algorithm": ALGORITHM,
        "pool": f"fi/1/sha256:{hashlib.sha256(content).hexdigest()}",
        "n": 100,
        "seed": 9,
        "weighted": True,
        "excluded": 2,
        "excluded_sha256": hashlib.sha256(b"a b\nb\n").hexdigest(),
    }


@pytest.mark.parametrize("n", [0, -1, True, 2.0, "5", None, 10**15])
def test_bad_numbers_of_names(n: object) -> None:
    with pytest.raises(InputError, match=r"pass an integer of at least 1|draw fewer"):
        sample_names(n, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, False, 0.5, "7", None])
def test_bad_seeds(seed: object) -> None:
    with pytest.raises(InputError, match=r"^seed .*pass an integer of at least 0"):
        sample_names(5, seed)  # type: ignore[arg-type]


def test_bad_origins() -> None:
    for origin in ("xx", "", "../us", "us.tsv.gz"):
        with pytest.raises(InputError, match="choose one of us, es, fi"):
            sample_names(5, 1, origin=origin)


def test_a_sample_that_would_not_end_is_refused() -> None:
    with pytest.raises(InputError, match="draw without weights"):
        draw_names(_pool(2, 2, 60, weight=10**15), 200, Draw(1, True, ()))


def _content(origin: str) -> bytes:
    file = resources.files("idia_index") / "data" / "names" / f"{origin}.tsv.gz"
    return gzip.decompress(file.read_bytes())


@pytest.mark.parametrize("origin", ORIGINS)
def test_data_files_are_as_their_provenance_says(origin: str) -> None:
    content = _content(origin)
    pool = load_pool(origin)
    provenance = resources.files("idia_index") / "data" / "names" / "PROVENANCE.md"
    counts = [len(t.names) for t in (pool.firsts["f"], pool.firsts["m"], pool.lasts)]
    digest = hashlib.sha256(content).hexdigest()
    rows = [line for line in provenance.read_text("utf-8").splitlines() if f"`{origin}.tsv" in line]
    assert digest in rows[0] and " / ".join(f"{count:,}" for count in counts) in rows[0]
    assert (pool.origin, pool.version, pool.sha256) == (origin, "1", digest)
    for table in (*pool.firsts.values(), pool.lasts):
        assert len(set(map(name_key, table.names))) == len(table.names)
        assert (table.weights >= 1).all() and (table.weights[:-1] >= table.weights[1:]).all()


@pytest.mark.parametrize("origin", ORIGINS)
def test_no_full_name_can_be_read_as_two_pairs(origin: str) -> None:
    pool = load_pool(origin)
    firsts = {name_key(n) for sex in "fm" for n in pool.firsts[sex].names}
    lasts = {name_key(n) for n in pool.lasts.names}
    ends_of_firsts = {end for name in firsts for start, end in _cuts(name) if start in firsts}
    starts_of_lasts = {start for name in lasts for start, end in _cuts(name) if end in lasts}
    assert not ends_of_firsts & starts_of_lasts


def _cuts(name: str) -> list[tuple[str, str]]:
    words = name.split(" ")
    return [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#\tus\t1\n",
        b"#\tus\t1\tx\n",
        b"#\tus\t1\tx\nf\tAnn\t1\nm\tBo\t1\n",
        b"#\tus\t1\tx\nf\tAnn\t0\nm\tBo\t1\nl\tLee\t1\n",
        b"#\tus\t1\tx\nf\tAnn\nm\tBo\t1\nl\tLee\t1\n",
        b"#\tus\t1\tx\nf\tAnn\tmany\nm\tBo\t1\nl\tLee\t1\n",
        b"#\tus\t1\tx\nx\tAnn\t1\nm\tBo\t1\nl\tLee\t1\n",
        b"\xff",
    ],
)
def test_damaged_content_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_pool(content)


def test_a_damaged_data_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_pool, "ORIGINS", ("PROVENANCE",))
    with pytest.raises(IdiaIndexError, match=r"PROVENANCE\.tsv\.gz.*reinstall idia-index"):
        load_pool("PROVENANCE")

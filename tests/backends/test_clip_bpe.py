"""CLIP's tokenizer without PyTorch: open_clip's tokens, on 120,000 strings."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.backends.clip_bpe import CLEANING, ClipTokenizer, merges_text
from idia_index.errors import InputError
from idia_index.prompts.sampling import sample_names

open_clip_tokenizer = pytest.importorskip("open_clip.tokenizer")

MERGES = Path(open_clip_tokenizer.default_bpe())


@cache
def own(clean: str = "lower") -> ClipTokenizer:
    return ClipTokenizer.load(MERGES, clean)


@cache
def published(clean: str = "lower") -> Any:
    return open_clip_tokenizer.SimpleTokenizer(clean=clean)


# Letters of 20 scripts, as ranges of code points.
SCRIPTS = {
    "latin": (0x41, 0x7A),
    "latin extended": (0xC0, 0x24F),
    "vietnamese": (0x1EA0, 0x1EF9),
    "greek": (0x386, 0x3CE),
    "cyrillic": (0x400, 0x45F),
    "armenian": (0x531, 0x586),
    "hebrew": (0x5D0, 0x5EA),
    "arabic": (0x620, 0x64A),
    "devanagari": (0x904, 0x94D),
    "bengali": (0x985, 0x9CD),
    "gurmukhi": (0xA05, 0xA4D),
    "tamil": (0xB85, 0xBCD),
    "telugu": (0xC05, 0xC4D),
    "thai": (0xE01, 0xE4C),
    "lao": (0xE81, 0xECD),
    "georgian": (0x10A0, 0x10FF),
    "ethiopic": (0x1200, 0x135A),
    "khmer": (0x1780, 0x17D3),
    "hiragana": (0x3041, 0x3096),
    "katakana": (0x30A1, 0x30FA),
    "han": (0x4E00, 0x9FA5),
    "hangul": (0xAC00, 0xD7A3),
    "cherokee": (0x13A0, 0x13F4),
    "deseret": (0x10400, 0x1044F),
}
ACCENTS = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0328\u0323\u20dd\u1ab0"
SPACES = " \t\n\r\v\f\u00a0\u1680\u2003\u200b\u2028\u202f\u205f\u3000\ufeff\x1c\x1f\x85"
ENTITIES = (
    "&amp;",
    "&amp;amp;",
    "&lt;",
    "&#39;",
    "&#x1F600;",
    "&eacute;",
    "&nbsp;",
    "&notit;",
    "&",
    "&;",
    "<b>",
    "&#0;",
    "&#xD800;",
    "&AMP",
    "&quot",
    "&#128;",
)
MARKS = (
    "'s",
    "'S",
    "'ſ",
    "'t",
    "'RE",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "''",
    "“quoted”",
    "’s",
    "—",
    "...",
    "#",
    "_a_",
    "<start_of_text>",
    "<END_OF_TEXT>",
    "<|endoftext|>",
    "</w>",
    "x</w>",
    "\x1b[31m",
    "\x00",
    "\x7f",
    "ﬁ",
    "ﬂ",
    "ＦＵＬＬ",
    "½",
    "²",
    "٣",
    "Ⅳ",
    "7890",
    "schÃ¶n",
    "â€™",
    "Ã",
    "\ufffd",
    "İ",
    "ΣΑΣ",
    "ß",
    "ǅ",
    "\U000e0041",
    "\u2066",
    "\u061c",
)
EMOJI = ("😀", "👩‍🚀", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "1️⃣", "✊🏿", "🧑‍🤝‍🧑")


def script_names(rng: random.Random, count: int) -> list[str]:
    def word(low: int, high: int) -> str:
        return "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8)))

    ranges = list(SCRIPTS.values())
    return [
        " ".join(word(*ranges[i % len(ranges)]) for _ in range(rng.randint(1, 4)))
        for i in range(count)
    ]


def mixtures(rng: random.Random, count: int) -> list[str]:
    """Names with accents, spaces, entities, marks and emoji put in anywhere."""
    pieces = [*ACCENTS, *SPACES, *ENTITIES, *MARKS, *EMOJI, *script_names(rng, 200)]
    return ["".join(rng.choices(pieces, k=rng.randint(1, 9))) for _ in range(count)]


def long_strings(rng: random.Random, count: int) -> list[str]:
    """Past the context length, where open_clip's own call cuts and `encode` does not."""
    words = [*script_names(rng, 100), *MARKS, "photo", "of", "a"]
    return [" ".join(rng.choices(words, k=rng.randint(80, 160))) for _ in range(count)]


CORPORA: dict[str, Callable[[random.Random], list[str]]] = {
    "name pools": lambda rng: [
        name
        for origin in ("us", "es", "fi")
        for name in sample_names(5_000, 3, origin=origin).names()
    ],
    "prompts": lambda rng: [
        f"{rng.choice(['A photo of', 'the person’s name is', '#'])} {name}, {rng.randint(0, 99)}!"
        for name in sample_names(3_000, 5).names()
    ],
    "scripts": lambda rng: script_names(rng, 5_000),
    "mixtures": lambda rng: mixtures(rng, 6_000),
    "long": lambda rng: long_strings(rng, 500),
}


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CORPORA)
def test_tokens_are_open_clips(corpus: str) -> None:
    texts = CORPORA[corpus](random.Random(11))
    theirs, ours = published(), own()
    expected = [theirs.encode(text) for text in texts]
    wrong = [t for t, a, b in zip(texts, expected, ours.encode(texts), strict=True) if a != b]
    assert wrong == []


@pytest.mark.parametrize("clean", ["whitespace", "canonicalize"])
def test_other_cleanings(clean: str) -> None:
    rng = random.Random(12)
    texts = [*mixtures(rng, 1500), *script_names(rng, 500), *long_strings(rng, 20)]
    assert own(clean).encode(texts) == [published(clean).encode(text) for text in texts]


# Lone surrogates cannot be written as UTF-8; a file of names cannot hold them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=400)
@given(TEXT, st.sampled_from(list(CLEANING)))
def test_any_text(text: str, clean: str) -> None:
    assert own(clean).encode([text]) == [published(clean).encode(text)]


def test_vocabulary_and_special_tokens() -> None:
    ours, theirs = own(), published()
    assert ours.vocabulary == theirs.encoder
    assert (ours.start, ours.end) == (theirs.sot_token_id, theirs.eot_token_id)
    assert ours.encode(["", "  ", "<start_of_text>"]) == [[], [], [ours.start]]


def test_a_full_cache_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idia_index.backends.clip_bpe.CACHE_WORDS", 3)
    fresh = ClipTokenizer.load(MERGES)
    texts = ["Jane Doe Smith Jones", "Jane Roe", "Doe Jane Doe"] * 3
    assert fresh.encode(texts) == own().encode(texts)


def test_merges_files(tmp_path: Path) -> None:
    merges = sorted(published().bpe_ranks, key=published().bpe_ranks.__getitem__)
    plain = tmp_path / "merges.txt"
    plain.write_text(merges_text(merges), encoding="utf-8")
    assert ClipTokenizer.load(plain).vocabulary == own().vocabulary
    packed = tmp_path / "merges.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert ClipTokenizer.load(packed).encode(["Jane Doe"]) == own().encode(["Jane Doe"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", None, "cannot read merges"),
        ("a.txt", b"#merges\ni n extra\n", "line 2 is not a pair"),
        ("a.txt", b"#merges\n", "line 2 is not a pair|no merges"),
        ("a.txt", b"", "no merges"),
        ("a.txt", b"\xff\xfe\n", "cannot read merges"),
        ("a.gz", b"no gzip", "cannot read merges"),
        ("a.gz", gzip.compress(b"#merges\ni n\n" * 99, mtime=0)[:20], "cannot read merges"),
        ("a.gz", gzip.compress(b"x" * ((16 << 20) + 1), mtime=0), "more than 16,777,216 bytes"),
        ("a.txt", b"#merges\ni n\nqq zz\n", "qq"),
    ],
)
def test_damaged_merges(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        ClipTokenizer.load(path)
    assert str(path) in str(caught.value)


def test_unknown_cleaning() -> None:
    with pytest.raises(InputError, match="cleaning 'upper' is not known"):
        ClipTokenizer([("i", "n")], "upper")

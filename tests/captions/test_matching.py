"""Which names appear in a caption, against one slow regular expression per name."""

from __future__ import annotations

import random

import pytest
from caption_oracle import variant
from hypothesis import example, given, settings
from hypothesis import strategies as st

from idia_index.captions.rules import VARIANTS, Forms, classify
from idia_index.errors import InputError

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

from idia_index.captions.automaton import (  # noqa: E402
    aho_corasick_automaton,
    hyperscan_automaton,
)
from idia_index.captions.loosening import loosest, loosest_exactly  # noqa: E402
from idia_index.captions.matching import Matcher  # noqa: E402

CASES = [
    ("Jane Doe at the gala", "Jane Doe", "exact"),
    ("Jane  Doe", "Jane Doe", "exact"),
    ("Jane Doe's hat", "Jane Doe", "possessive"),
    ("JANE DOE’S hat", "Jane Doe", "possessive"),
    ("Jane Doe's hat, by Jane Doe", "Jane Doe", "exact"),
    ("jane doe", "Jane Doe", "case"),
    ("Jane-Doe", "Jane Doe", "separators"),
    ("Miles O’Brien", "Miles O'Brien", "separators"),
    ("Miles O Brien", "Miles O'Brien", "separators"),
    ("jane_doe_2.jpg", "Jane Doe", "file_name"),
    ("Jane%20Doe.jpg", "Jane Doe", "file_name"),
    ("jane+doe", "Jane Doe", "file_name"),
    ("Jose Lopez", "José López", "accents"),
    ("José López", "Jose Lopez", "accents"),
    ("Jose\u0301 Lo\u0301pez", "José López", "exact"),
    ("Doe, Jane", "Jane Doe", "last_first"),
    ("Berg, Jan van den", "Jan van den Berg", "last_first"),
    ("Ｊａｎｅ　Ｄｏｅ", "Jane Doe", "exact"),
    ("Jane Doe™", "Jane Doe", "exact"),
    ("Straße der STRASSE", "Straße", "exact"),
    ("STRASSE", "Straße", "case"),
    ("张伟在北京", "张伟", "exact"),
    ("김철수가 왔다", "김철수", "exact"),
    ("राम शर्मा", "राम शर्मा", "exact"),
    ("राम शर्माजी", "राम शर्मा", None),
    ("ИВАН ПЕТРОВ", "Иван Петров", "case"),
    ("xJane Doe", "Jane Doe", None),
    ("Jane Doery", "Jane Doe", None),
    ("Jane. Doe", "Jane Doe", None),
    ("JaneDoe", "Jane Doe", None),
]


def matches(captions: list[str | bytes], names: list[str], rule: str) -> set[tuple[int, int, str]]:
    raw = [each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each
           for each in captions]  # fmt: skip
    matcher = Matcher(names, rule)
    found = matcher.match(pa.array(raw, pa.binary()))
    return {(c, n, matcher.variants[v]) for c, n, v in zip(*map(list, found), strict=True)}


def by_oracle(captions: list[str], names: list[str]) -> set[tuple[int, int, str]]:
    pairs = (
        (c, n, variant(t, name)) for c, t in enumerate(captions) for n, name in enumerate(names)
    )
    return {(c, n, kind) for c, n, kind in pairs if kind is not None}


@pytest.mark.parametrize(("caption", "name", "kind"), CASES)
def test_a_match_is_the_variant_that_a_reader_expects(
    caption: str, name: str, kind: str | None
) -> None:
    assert classify(Forms(caption), Forms(name)) == kind
    assert variant(caption, name) == kind
    assert matches([caption], [name], "name") == ({(0, 0, kind)} if kind else set())


PIECES = (
    "jane", "Jane", "doe", "DOE", "jan", "e d", "José", "Jose", "Jose\u0301", "o'brien", "O’Brien",
    "O-Brien", "Ann", "Anna", "ann-a", "ß", "SS", "İ", "ﬁn", "Иван", "иван", "張偉", "张", "김철수",
    "สมชาย", "राम", "أحمد", "דוד", "Ω", "'s", "’s", "s", ",", ", ", "_", "+", "%20", " ", "  ", "-",
    " - ", ".", "\u200b", "\u00b4", "™", "\u0301", "1", "\n", "\x00",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=5))
@example(["Jane Doe's"], ["Jane Doe", "Doe's"])
@example(["\x00"], ["jane", "%20\x00"])
@example(["ann-a"], ["ann", "a", "anna", "ann a"])
def test_counts_equal_the_oracle_for_names_made_of_each_others_parts(
    captions: list[str], pieces: list[str]
) -> None:
    names = list(dict.fromkeys(" ".join(name.split()) for name in pieces))
    # A name without a letter or digit is not looked for; the digits of a %20 are none.
    names = [name for name in names if any(map(str.isalnum, name.replace("%20", " ")))]
    if names:
        assert matches(captions, names, "name") == by_oracle(captions, names)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=5))
def test_the_papers_rule_is_a_substring(captions: list[str], pieces: list[str]) -> None:
    names = list(dict.fromkeys(pieces))
    expected = {
        (c, n, "substring")
        for c, text in enumerate(captions)
        for n, name in enumerate(names)
        if name in text
    }
    assert matches(captions, names, "paper") == expected


@settings(max_examples=150)
@given(
    st.text(st.one_of(st.sampled_from("".join(PIECES)), st.characters(codec="utf-8")), max_size=9)
)
def test_the_form_that_is_searched_is_its_definition(text: str) -> None:
    line = text.replace("\n", " ")
    slow = " ".join(loosest_exactly(line).replace("%20", " ").split(" "))
    while "  " in slow:
        slow = slow.replace("  ", " ")
    assert loosest(line).decode() == slow


def test_both_automata_find_every_overlapping_match() -> None:
    rng = random.Random(5)
    patterns = list({bytes(rng.choices(b"ab,", k=rng.randint(1, 5))) for _ in range(40)})
    text = bytes(rng.choices(b"ab,\x00", k=3000))
    expected = sorted(
        (number, place + len(each))
        for number, each in enumerate(patterns)
        for place in range(len(text))
        if text.startswith(each, place)
    )
    for make in (aho_corasick_automaton, hyperscan_automaton):
        numbers, ends = make(patterns)(text)
        assert sorted(zip(numbers.tolist(), ends.tolist(), strict=True)) == expected


def test_matches_do_not_run_over_captions_and_slices_keep_their_places() -> None:
    column = pa.array([b"x", b"Jane", b" Doe", b"Jane Doe", b"", b"Jane Doe"], pa.binary())
    for rule in ("name", "paper"):
        found = Matcher(["Jane Doe"], rule).match(column[1:])
        assert found.captions.tolist() == [2, 4]


def test_bytes_that_are_no_utf_8_hide_no_name() -> None:
    for rule, kind in (("name", "exact"), ("paper", "substring")):
        assert matches([b"\xff\xfe Jane Doe \xc3"], ["Jane Doe"], rule) == {(0, 0, kind)}


def test_a_name_of_no_letters_is_told_and_not_searched() -> None:
    assert Matcher(["---", "Jane Doe"], "name").empty == [0]
    with pytest.raises(InputError, match="letter"):
        Matcher(["---", "'"], "name")


def test_every_variant_can_be_a_column() -> None:
    assert {kind for *_, kind in CASES if kind} == set(VARIANTS)

"""Notes on names: spellings of subjects, lookalikes, oddities."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.prompts import lint as name_lint
from idia_index.prompts.lint import lint_names, loose_key, other_spellings
from idia_index.prompts.names import make_names

MANY = 1 << 15
SPELLINGS = ["Zoë O'Brien", "zoe o’brien", "ZOE OBRIEN", "Zoe_O-Brien", "Zoe\u0308 O'Brien"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_name_have_one_loose_key(spelling: str) -> None:
    assert loose_key(spelling) == "zoeobrien"


def test_marks_that_are_vowels_stay() -> None:
    assert loose_key("कि") != loose_key("क")


@pytest.mark.parametrize(
    ("name", "others"),
    [("Ann Lee", ["ANN LEE"]), ("Zoe OBrien", ["Zoë O'Brien"]), ("Bo", []), ("Cy", [])],
)
def test_other_spellings_are_other_than_the_name(name: str, others: list[str]) -> None:
    candidates = ["Ann Lee", "ANN LEE", "Zoë O'Brien", "Bo"]
    assert list(other_spellings(candidates, name)) == others


_NAME = st.text(st.sampled_from("aAäé -'"), min_size=1, max_size=4)
_NAMES = st.lists(_NAME, max_size=15)


@given(_NAMES, _NAME)
def test_other_spellings_agree_with_all_candidates(candidates: list[str], name: str) -> None:
    wanted = [c for c in candidates if c != name and loose_key(c) == loose_key(name)]
    assert list(other_spellings(candidates, name)) == wanted


def test_lint_finds_each_kind() -> None:
    names = make_names(["Ann Lee", "ann lee", "Ann-Lee", "Bo_Ek", "{0}", "Tom &amp; Jo", "Cy Ö"])
    findings = lint_names(names)
    assert [(f.kind, f.value, f.place) for f in findings] == [
        ("duplicate", "ann lee", "names, line 2"),
        ("lookalike", "Ann-Lee", "names, line 3"),
        ("underscore", "Bo_Ek", "names, line 4"),
        ("brace", "{0}", "names, line 5"),
        ("markup", "Tom &amp; Jo", "names, line 6"),
    ]
    assert all(f.message.isprintable() for f in findings)
    assert lint_names(make_names(["Ann Lee", "Bo Ek"])) == []


@pytest.mark.parametrize("stray", ["# my names", "// names", "---", "Jane Doe,", "Jane Doe;"])
def test_what_is_no_part_of_a_name_is_found(stray: str) -> None:
    (found,) = lint_names(make_names(["Ann Lee", stray, "50 Cent", "Sammy Davis, Jr."]))
    assert (found.kind, found.value, found.place) == ("stray", stray, "names, line 2")


def test_findings_are_capped_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lint, "MAX_FINDINGS", 3)
    findings = lint_names(make_names(f"a_{i}" for i in range(10)))
    assert [f.value for f in findings] == ["a_0", "a_1", "a_2", ""]
    assert findings[-1].message.startswith("10 findings of this kind")


@pytest.mark.slow
def test_a_list_of_nothing_but_findings_takes_little_memory() -> None:
    letters = "abcdefghijklmno"
    spelled = ("".join(c + " -"[n >> i & 1] for i, c in enumerate(letters)) for n in range(MANY))
    names = make_names(f"{name}_" for name in spelled)
    tracemalloc.start()
    try:
        findings = lint_names(names)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    totals = {f.kind: f.message for f in findings if not f.place}
    assert totals["lookalike"].startswith(f"{MANY - 1} findings")
    assert totals["underscore"].startswith(f"{MANY} findings")
    assert peak < 15e6 + 90 * MANY  # a block of names, and numbers of each name

"""Names from files and elsewhere, against a slow dictionary."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.prompts import names as names_module
from idia_index.prompts.names import folder_to_name, make_names, name_key, read_names
from idia_index.prompts.packed_names import repeats


def _file(folder: Path, text: str) -> Path:
    path = folder / "names.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_reads_in_order_and_reports_what_it_left_out(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "\ufeffBo Lee\r\n\r\n Ann  Lee\r\nZoë\r\nbo lee\r\nZoe\u0308\r\nAnn Lee\r\n"
    )
    names = read_names(path)
    assert list(names) == ["Bo Lee", "Ann Lee", "Zoë"]
    assert (len(names), names.blanks, names.respaced, names.duplicate_count) == (3, 1, 1, 3)
    assert [(d.name, d.line, d.kept, d.kept_line) for d in names.duplicates] == [
        ("bo lee", 5, "Bo Lee", 1),
        ("Zoe\u0308", 6, "Zoë", 4),
        ("Ann Lee", 7, "Ann Lee", 3),
    ]
    assert names.place(2) == f"{path}, line 4"
    assert names.source == str(path)


def test_is_a_sequence() -> None:
    wanted = [f"Näme {i}" for i in range(10)]
    names = make_names(wanted)
    assert names[-1] == wanted[-1] and names[np.int64(3)] == wanted[3]
    for run in (slice(None), slice(2, 5), slice(5, 2), slice(None, None, -3), slice(8, 99)):
        assert names[run] == wanted[run]
    assert list(names.blocks(4)) == [wanted[:4], wanted[4:8], wanted[8:]]
    assert "Näme 7" in names and names.index("Näme 7") == 7
    for index in (10, -11):
        with pytest.raises(IndexError):
            names[index]


@pytest.mark.parametrize("text", ["", "\n\r\n  \n", "\ufeff"])
def test_a_file_without_names_is_refused(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(InputError, match="holds no name: write one per line") as caught:
        read_names(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("items", "what"),
    [
        ([], "holds no name"),
        (["Ann", " "], "line 2 is empty"),
        (["Ann", "B\no"], r"line 2: 'B\\no' holds U\+000A"),
        (["caf\udce9"], "bytes that are not UTF-8"),
    ],
)
def test_names_from_elsewhere_are_checked_too(items: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        make_names(items, "the folders")
    assert str(caught.value).startswith("the folders")


@pytest.mark.slow
def test_many_duplicates_are_counted_and_some_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "MAX_DUPLICATES_LISTED", 5)
    names = make_names(["Ann", *["ANN"] * 70_000, "Bo"])
    assert list(names) == ["Ann", "Bo"]
    assert names.duplicate_count == 70_000
    assert [d.line for d in names.duplicates] == [2, 3, 4, 5, 6]
    assert names.place(1) == "names, line 70002"


_NAME = st.text(st.sampled_from("aAäÄßsSéİıσςΣ \u0301\u0308\u00a0\u3000李"), max_size=4)


@pytest.mark.slow
@given(st.lists(_NAME, max_size=30))
def test_agrees_with_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = _file(tmp_path_factory.getbasetemp(), "".join(f"{line}\n" for line in lines))
    kept: dict[str, tuple[str, int]] = {}
    removed = []
    for number, line in enumerate(lines, 1):
        if name := " ".join(line.split()):
            first = kept.setdefault(_slow_key(name), (name, number))
            if first[1] != number:
                removed.append((name, number, *first))
    if not kept:
        with pytest.raises(InputError):
            read_names(path)
        return
    names = read_names(path)
    assert list(names) == [name for name, _ in kept.values()]
    assert [(d.name, d.line, d.kept, d.kept_line) for d in names.duplicates] == removed
    assert [names.place(i) for i in range(len(names))] == [
        f"{path}, line {number}" for _, number in kept.values()
    ]
    assert names.blanks == sum(not line.split() for line in lines)


def _slow_key(name: str) -> str:
    """Canonical caseless matching as the Unicode standard defines it (D145), letter by letter."""
    folded = "".join(c.casefold() for c in unicodedata.normalize("NFD", name))
    return unicodedata.normalize("NFD", folded)


@given(st.text(max_size=8), st.text(max_size=8))
def test_key_is_that_of_the_standard(one: str, other: str) -> None:
    assert name_key(f" {one}  {other}\n") == unicodedata.normalize(
        "NFC", _slow_key(" ".join(f"{one} {other}".split()))
    )


@given(st.lists(st.sampled_from("abcdef"), max_size=20), st.integers(1, 6))
def test_repeats_compares_keys_and_not_hashes(keys: list[str], spread: int) -> None:
    hashes = np.array([ord(key) % spread for key in keys], dtype=np.int64)
    wanted = [[i, keys.index(key)] for i, key in enumerate(keys) if keys.index(key) < i]
    assert repeats(hashes, keys.__getitem__).tolist() == wanted


def test_folder_names() -> None:
    assert folder_to_name("Ada_Lovelace") == "Ada Lovelace"
    assert folder_to_name("_Ada__King  Lovelace_") == "Ada King Lovelace"
    assert folder_to_name("Jean-Luc_O'Brien") == "Jean-Luc O'Brien"
    for folder in ("", "___", "Ada\nLovelace", os.fsdecode(b"Zo\xeb"), "a\x1b[2J"):
        with pytest.raises(InputError) as caught:
            folder_to_name(folder)
        assert str(caught.value).isprintable()

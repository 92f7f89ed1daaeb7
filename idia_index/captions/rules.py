"""Defines a match: rule `paper` (substring, as in the paper's counts) and `name` (whole words).

Rule `name` compares successively coarser forms of the caption and the name. A record counts once
for a name, as the first variant that matches.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Literal

Rule = Literal["name", "paper"]
RULES: tuple[Rule, ...] = ("name", "paper")

VARIANTS = {
    "exact": "the name as written, compatible characters (NFKC) and white space aside",
    "possessive": "followed by 's, in any case and with any separator of the columns after it",
    "case": "in another case",
    "separators": "apostrophes, hyphens and spaces interchanged",
    "file_name": "with _, + or %20 between its parts, as in names of files",
    "accents": "with accents that the name lacks, or without those it has",
    "last_first": "the last part, a comma, the first part",
}
"""The columns of rule `name`, from the strictest to the loosest."""

TOTAL = ("exact", "possessive", "case", "separators", "file_name")
"""The columns that make up the training count; the others are counted separately."""

SUBSTRING = "substring"
"""The one column of rule `paper`."""

_MARK = "\ue000"  # replaces the apostrophe of a possessive, which is not a separator

# Invisible zero-width and direction characters, removed from every form.
_IGNORABLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_TRADE_MARK = re.compile("[\u2120\u2122]")  # NFKC would turn them into letters
_APOSTROPHES = "'`\u00b4\u2018\u2019\u201b\u02bc\u02b9\u2032\u05f3\ua78c"
_HYPHENS = "\\-\u058a\u05be\u2010-\u2015\u2212\u30fb\u00b7"
_POSSESSIVE = re.compile(f"(?<=\\S)[{_APOSTROPHES}](?=[sS](?:\\W|_|$))")
_SEPARATORS = re.compile(f"[\\s{_APOSTROPHES}{_HYPHENS}]+")
FILE_SEPARATORS = re.compile(f"(?:[\\s{_APOSTROPHES}{_HYPHENS}_+]|%20)+")
# Accents of Latin, Greek and Cyrillic only: the marks of other scripts are vowels.
_ACCENTS = re.compile("[\u0300-\u036f]+")
_APART = {b""} | {
    bytes([code]) for code in range(128) if not (chr(code).isalnum() or chr(code) in _APOSTROPHES)
}
# Scripts without spaces between words, and Hangul, whose particles follow a name directly.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def written(text: str) -> str:
    """The first form: NFKC, white space collapsed, the apostrophe of a possessive marked."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", plain(text))
    return _POSSESSIVE.sub(_MARK, " ".join(text.split()))


def plain(text: str) -> str:
    """Removes characters that NFKC would turn into unintended letters or accents."""
    return _TRADE_MARK.sub(" ", _IGNORABLE.sub("", text)).replace("\u00b4", "'")


def folded(form: str) -> str:
    """`written` without case."""
    if form.isascii():
        return form.lower()
    return unicodedata.normalize("NFKC", form.casefold())


def separated(form: str) -> str:
    """`folded` with one space for every apostrophe, hyphen and space, or run of them."""
    return _SEPARATORS.sub(" ", form).strip()


def unfiled(form: str) -> str:
    """`separated` that reads `_`, `+` and `%20` as spaces too."""
    return FILE_SEPARATORS.sub(" ", form).strip()


def unaccented(form: str) -> str:
    """A form without the accents of Latin, Greek and Cyrillic letters."""
    if form.isascii():
        return form
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", form))
    return unicodedata.normalize("NFC", plain)


_FORMS: tuple[Callable[[str], str], ...] = (written, folded, separated, unfiled, unaccented)


class Forms:
    """The forms of a caption or a name, each computed from the previous one on demand."""

    def __init__(self, text: str) -> None:
        self._made = [text]

    def form(self, level: int) -> str:
        """0 `written`, 1 `folded`, 2 `separated`, 3 `unfiled`, 4 `unaccented`."""
        while len(self._made) <= level + 1:
            self._made.append(_FORMS[len(self._made) - 1](self._made[-1]))
        return self._made[level + 1]

    @cached_property
    def reversals(self) -> list[str]:
        """ "Last,First" and "Last, First" for every split of the name, in its loosest form."""
        return reversals(self.form(4))


def reversals(form: str) -> list[str]:
    """A name's loosest form with its parts swapped around a comma, for every split."""
    words = form.split(" ")
    cuts = [(" ".join(words[k:]), " ".join(words[:k])) for k in range(1, len(words))]
    return [f"{last},{space}{first}" for last, first in cuts for space in ("", " ")]


def classify(caption: Forms, name: Forms) -> str | None:
    """The first of `VARIANTS` in which the name appears in the caption, or None."""
    if _stands(caption.form(0), name.form(0))[0]:
        return "exact"
    if _stands(caption.form(3), name.form(3))[1]:
        return "possessive"
    for level, variant in ((1, "case"), (2, "separators"), (3, "file_name")):
        if _stands(caption.form(level), name.form(level))[0]:
            return variant
    if any(_stands(caption.form(4), name.form(4))):
        return "accents"
    if any(any(_stands(caption.form(4), each)) for each in name.reversals):
        return "last_first"
    return None


def as_bytes(name: str) -> bytes:
    """A name for `stands_as_written`; empty if its form `written` differs from the name."""
    simple = name.isascii() and written(name) == name and not set(name) & set(_APOSTROPHES)
    return name.encode("ascii") if simple else b""


def stands_as_written(caption: bytes, name: bytes) -> bool:
    """Whether `classify` certainly returns "exact": the name between ASCII non-word characters.

    Apostrophes are excluded, because one after the name may be a possessive's.
    """
    place = caption.find(name) if name else -1
    while place >= 0:
        before, after = caption[:place][-1:], caption[place + len(name) :][:1]
        if before in _APART and after in _APART:
            return True
        place = caption.find(name, place + 1)
    return False


def _stands(text: str, name: str) -> tuple[bool, bool]:
    """Whether a form occurs in another as whole words: without and with a possessive 's."""
    plain = owned = False
    place = text.find(name) if name else -1
    while place >= 0:
        end = place + len(name)
        if not (_joined(text, place) or _joined(text, end)):
            if text[end : end + 1] == _MARK:
                owned = True
            else:
                plain = True
        place = text.find(name, place + 1)
    return plain, owned


def _joined(text: str, place: int) -> bool:
    """Whether the characters on both sides of a position belong to one word."""
    if not 0 < place < len(text):
        return False
    left, right = text[place - 1], text[place]
    if not (in_word(left) and in_word(right)):
        return False
    return not (_UNSPACED.match(left) or _UNSPACED.match(right))


def is_unspaced(text: str) -> bool:
    """Whether a text has a letter of a script without spaces between words."""
    return _UNSPACED.search(text) is not None


def in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"

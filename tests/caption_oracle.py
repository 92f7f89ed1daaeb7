"""The match rules of `idia-index members` written once more: one regular expression a name.

Slow, with the Unicode properties of the `regex` package in place of ranges and tables.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

APOSTROPHE = "['`\u2018\u2019\u201b\u02bc\u02b9\u2032\u05f3\ua78c]"
SEPARATOR = (
    r"[\s'`\u2018\u2019\u201b\u02bc\u02b9\u2032\u05f3\ua78c"
    r"\-\u058a\u05be\u2010-\u2015\u2212\u30fb\u00b7]"
)
FILE_SEPARATOR = rf"(?:{SEPARATOR}|[_+]|%20)"
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
JOINED = rf"[\p{{L}}\p{{N}}\p{{M}}--[{UNSPACED}]]"
OWNED = "\uf8ff"  # the apostrophe of a possessive
ORDER = ("exact", "possessive", "case", "separators", "file_name", "accents", "last_first")


@lru_cache(1 << 16)
def composed(text: str) -> str:
    text = regex.sub("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]", "", text)
    text = text.replace("™", " ").replace("℠", " ").replace("\u00b4", "'")
    text = unicodedata.normalize("NFKC", text)
    return regex.sub(rf"(?<=\S){APOSTROPHE}(?=[sS](?:\W|_|$))", OWNED, text)


@lru_cache(1 << 16)
def caseless(text: str) -> str:
    return unicodedata.normalize("NFKC", composed(text).casefold())


@lru_cache(1 << 16)
def plain(text: str) -> str:
    bare = regex.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", caseless(text)))
    return unicodedata.normalize("NFC", bare)


def words(pattern: str, owned: str = f"(?!{OWNED})") -> regex.Pattern[str]:
    """As whole words: no letter joined to one of the name's; scripts without spaces never join."""
    end = rf"(?!(?<={JOINED}){JOINED})"
    return regex.compile(rf"(?<!{JOINED}(?={JOINED}))(?:{pattern}){end}{owned}", regex.V1)


def parts(name: str, separator: str) -> list[str]:
    return [
        regex.escape(part, literal_spaces=True)
        for part in regex.split(separator + "+", name)
        if part
    ]


@lru_cache(None)
def expressions(name: str) -> dict[str, regex.Pattern[str]]:
    exact, folded, bare = composed(name), caseless(name), plain(name)
    spaced = [regex.escape(part) for part in exact.split()]
    lower = [regex.escape(part) for part in folded.split()]
    strict = parts(folded, SEPARATOR)
    loose, looser = parts(folded, FILE_SEPARATOR), parts(bare, FILE_SEPARATOR)
    gap = FILE_SEPARATOR + "+"
    cuts = [
        f"{gap.join(looser[k:])},(?:{gap})?{gap.join(looser[:k])}" for k in range(1, len(looser))
    ]
    return {
        "exact": words(r"\s+".join(spaced)),
        "possessive": words(gap.join(loose), OWNED),
        "case": words(r"\s+".join(lower)),
        "separators": words(f"{SEPARATOR}+".join(strict)),
        "file_name": words(gap.join(loose)),
        "accents": words(gap.join(looser), ""),
        "last_first": words("|".join(cuts) if cuts else "(?!)", ""),
    }


@lru_cache(1 << 16)
def unfiled(text: str) -> str:
    return caseless(text).replace("%20", " ")


TEXT_OF = {
    "exact": composed, "possessive": unfiled, "case": caseless, "separators": caseless,
    "file_name": unfiled, "accents": lambda text: plain(text).replace("%20", " "),
    "last_first": lambda text: plain(text).replace("%20", " "),
}  # fmt: skip


def variant(caption: str, name: str) -> str | None:
    """The first variant as which a name stands in a caption."""
    for kind in ORDER:
        if expressions(name)[kind].search(TEXT_OF[kind](caption)):
            return kind
    return None

"""`Last, First` -> `First Last`: the order that captions have."""

from __future__ import annotations

import re

# What may follow a name after a comma without being a first name.
SUFFIX = (
    r"(?:jr|sr|junior|senior|i{1,3}|iv|vi{0,3}|phd|ph\.d|md|m\.d|dds|esq|mba|msc|bsc|dr|obe|cbe|mbe"
    r"|kbe|frs|rn|cpa|llm|jd)\.?"
)
_SUFFIX = re.compile(SUFFIX, re.I)
_AT_ITS_END = re.compile(r"(.+?) ((?:jr|sr)\.?|junior|senior|ii|iii|iv)", re.I)
_LETTER = r"[^\W\d_]"
# Words of letters, initials, hyphens and apostrophes; with a capital, or of a script without any.
_PART = "[\\w\u200c\u200d\u0300-\u036f.'\u2019\u02bc\u2010\u2011-]+"
_NAME = re.compile(rf"(?=.*{_LETTER}){_PART}(?: {_PART})*")
_MOST_WORDS = 4


def given_first(name: str) -> str:
    """The name with the first name first where it is written `Last, First[, Suffix]`.

    Anything else stays: `Sammy Davis, Jr.`, `Jane Doe, actress of stage and film`.

    Args:
        name: a name with single spaces.
    """
    if "," not in name:
        return name
    last, first, *rest = [part.strip() for part in name.split(",")]
    if len(rest) > 1 or (rest and not _SUFFIX.fullmatch(rest[0])):
        return name
    if not _is_name(last) or not _is_name(first) or _SUFFIX.fullmatch(first):
        return name
    if first[0].islower() and (" " in last or not last.islower()):  # a profession, a remark
        return name
    if not rest and (found := _AT_ITS_END.fullmatch(first)):  # Roe, John III
        first, *rest = found.groups()
    return " ".join([first, last, *rest])


def _is_name(text: str) -> bool:
    plain = _NAME.fullmatch(text) is not None and not any(map(str.isdigit, text))
    return plain and "_" not in text and len(text.split()) <= _MOST_WORDS

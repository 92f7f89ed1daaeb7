"""Converts captions to the loosest form of rule `name`, as fast as possible, to find candidates.

Any variant of a name in a caption occurs literally in this form, which is `unfiled` and
`unaccented`, with a possessive's apostrophe as a separator. Many captions are converted at once,
one per line; no step crosses a line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from idia_index.captions.rules import FILE_SEPARATORS, in_word, plain, reversals, unaccented
from idia_index.prompts.names import clean_name

_Codes = NDArray[np.uint32]
_SLOW, _GONE = 0xFFFFFFFF, 0xFFFFFFFE  # characters that depend on neighbours; removed ones
LOOSE_ASCII = bytes(
    0x20
    if code != 0x0A and code < 0x80 and FILE_SEPARATORS.fullmatch(chr(code))
    else code + 32
    if 0x41 <= code <= 0x5A
    else code
    for code in range(256)
)
_NOT_A_BREAK = re.compile("(?!\n)" + FILE_SEPARATORS.pattern.removesuffix("+"))


def loosest(text: str) -> bytes:
    """The form of text in any script, as UTF-8."""
    if text.isascii():
        return loosest_ascii(text.encode("ascii"))
    codes, beyond, mapped, slow = _looked_up(text)
    if slow.any():
        lines = text.split("\n")
        breaks = np.flatnonzero(codes == 0x0A)
        for number in np.unique(np.searchsorted(breaks, beyond[slow])).tolist():
            lines[number] = loosest_exactly(lines[number])
        codes, beyond, mapped, slow = _looked_up("\n".join(lines))
        mapped = np.where(mapped == _SLOW, codes[beyond], mapped)  # as `loosest_exactly` left them
    codes[beyond] = mapped
    codes = np.delete(codes, beyond[mapped == _GONE])
    text = codes.tobytes().decode("utf-32-le", "replace")
    for character in map(chr, np.unique(mapped[mapped != _GONE]).tolist()):
        if form := _tables().longer.get(character):
            text = text.replace(character, form)
    return loosest_ascii(text.encode("utf-8"))


def _looked_up(text: str) -> tuple[_Codes, NDArray[np.int64], _Codes, NDArray[np.bool_]]:
    """The characters of a text, positions of non-ASCII ones, their forms, and which are slow."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    beyond = np.flatnonzero(codes >= 0x80)
    places = np.minimum(codes[beyond], 0x10000)
    mapped = _tables().forms[places]
    marks = _tables().marks[places]
    slow = mapped == _SLOW
    slow[1:] |= marks[1:] & marks[:-1] & (np.diff(beyond) == 1)  # NFKC puts them in order
    return codes, beyond, mapped, slow


def loosest_ascii(text: bytes) -> bytes:
    """The form of text with only ASCII separators, capital letters and accents."""
    text = text.translate(LOOSE_ASCII)
    if b"%20" in text:
        text = text.replace(b"%20", b" ")
    letters = np.frombuffer(text, np.uint8)
    spaces = letters == 0x20
    again = spaces[1:] & spaces[:-1]
    return text[:1] + letters[1:][~again].tobytes() if again.any() else text


def loosest_exactly(line: str) -> str:
    """The form of one line by its definition, except for runs of spaces."""
    line = unicodedata.normalize("NFKC", plain(line))
    line = unicodedata.normalize("NFKC", line.casefold())
    return unaccented(_NOT_A_BREAK.sub(" ", line))


def search_forms(name: str) -> list[bytes]:
    """The patterns that find every variant of a name in loosest captions.

    None for a name without a letter or digit.
    """
    form = loosest(clean_name(name)).decode("utf-8").strip()
    if not any(map(in_word, form)):
        return []
    return [each.encode("utf-8") for each in (form, *reversals(form))]


class _Tables(NamedTuple):
    """How the rules convert every character of the basic plane.

    Attributes:
        forms: single-character forms: uint32 [65537]; the last is for characters beyond the
            plane, which are converted line by line.
        longer: forms of several characters that do not depend on neighbours.
        marks: whether a character takes part in the ordering of marks: bool [65537].
    """

    forms: _Codes
    longer: dict[str, str]
    marks: NDArray[np.bool_]


@cache
def _tables() -> _Tables:
    forms = np.full(0x10001, _SLOW, np.uint32)
    longer: dict[str, str] = {}
    composing: set[str] = set()
    for code in range(0x10000):
        composing.update(unicodedata.normalize("NFD", chr(code))[1:])
    for code in range(0x10000):
        character = chr(code)
        if (character in composing and not 0x300 <= code < 0x370) or code == 0x345:
            continue  # its neighbours matter
        form = "" if 0x300 <= code < 0x370 else loosest_exactly(character)
        if len(form) <= 1:
            forms[code] = ord(form) if form else _GONE
        elif form.isascii():
            forms[code], longer[character] = code, form
    forms[0xD800:0xE000] = 0xFFFD
    marks = [unicodedata.combining(chr(code)) > 0 for code in range(0x10000)]
    return _Tables(forms, longer, np.array([*marks, False]))

"""Text of strangers, and how it is shown: nothing that a terminal or browser would obey."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Sequence

from idia_index.errors import InputError

# A literal list, not Unicode categories: every Python version must refuse the same files.
# Controls, line and paragraph separators, format characters (soft hyphen, zero-width space,
# directions, tags), the replacement character, non-characters, surrogates (undecodable bytes of
# file names). U+200C and U+200D stay allowed: Persian and Indic names are spelled with them.
FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e007f]"
)


def shown(value: object, limit: int = 80) -> str:
    """A value as an error message may show it: quoted, one line, no control characters, short."""
    text = str(value)
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}... ({len(text)} characters)"


def labelled(name: str, person: str | None) -> str:
    """A person's name, with what tells people of the same name apart."""
    return name if person is None else f"{name} ({person})"


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as an error message may show it: plain where it is printable, else quoted."""
    text = os.fspath(path)
    return text if text and text.isprintable() else repr(text)


def counted(number: int, one: str, more: str = "") -> str:
    """A number of things in words: "1 image", "2 images"; `more` where it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def listed(items: Sequence[str], most: int, what: str = "more", between: str = ", ") -> str:
    """The first of some texts, and how many more there are: "a, b and 3 more"."""
    rest = f" and {len(items) - most:,} {what}" if len(items) > most else ""
    return between.join(items[:most]) + rest


def printable(text: str) -> str:
    """The text with every character that `check_text` refuses written as an escape.

    Line ends stay. What people or programs show may hold names and paths of strangers, and a
    terminal or browser would obey some of their characters instead of showing them.
    """
    return FORBIDDEN.sub(lambda found: ascii(found.group())[1:-1], text)


def json_text(data: object, indent: int) -> str:
    """JSON that is valid everywhere and holds no character that `check_text` refuses, but escaped.

    Paths that are no UTF-8 keep their bytes, as Python's surrogate escapes.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    return FORBIDDEN.sub(lambda found: json.dumps(found.group())[1:-1], text) + "\n"


def check_text(text: str, place: str) -> None:
    """Raises `InputError`, naming `place`, for a text that holds what no entry may hold.

    That is: a control, format or replacement character, or a surrogate (an undecodable byte).
    The two joiners U+200C and U+200D are allowed.
    """
    if found := FORBIDDEN.search(text) or re.search("\n", text):
        raise InputError(_forbidden_message(text, found.group(), place))


def _forbidden_message(text: str, character: str, place: str) -> str:
    code = f"U+{ord(character):04X}"
    what = unicodedata.name(character, "control character").lower()
    if "\ud800" <= character <= "\udfff":
        return f"{place}: {shown(text)} holds bytes that are not UTF-8: write it in UTF-8"
    if character == "\r":
        return f"{place}: {shown(text)} holds a lone CR (U+000D): save with LF or CRLF line ends"
    return f"{place}: {shown(text)} holds {code} ({what}): remove it or replace it with a space"


_MOST_NUMBERS = 10_000  # of a list


def numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of a list; `..` continues with the step of the two before it.

    `1,3,..,30` is 1, 3, 5 to 29, and 30: the number after the dots is always the last.

    Raises:
        InputError: not integers, or dots that lead nowhere; it names the option.
    """
    found: list[int] = []
    parts = [part.strip() for part in text.split(",")]
    remedy = f"{option} {shown(text)}: write integers, such as 1,3,..,30"
    for place, part in enumerate(parts):
        if part == "..":
            if len(found) < 2 or found[-1] <= found[-2] or place + 1 >= len(parts):
                raise InputError(remedy)
            last, step = _integer(parts[place + 1], remedy), found[-1] - found[-2]
            if (last - found[-1]) // step > _MOST_NUMBERS:
                raise InputError(
                    f"{option} {shown(text)}: more than {_MOST_NUMBERS} numbers; pass fewer"
                )
            found += range(found[-1] + step, last, step)
        else:
            found.append(_integer(part, remedy))
    return tuple(found)


def _integer(part: str, remedy: str) -> int:
    if not (part.isascii() and part.isdigit() and len(part) < 16):
        raise InputError(remedy)
    return int(part)

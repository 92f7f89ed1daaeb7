"""Lists of integers as people write them: 1,3,..,30."""

from __future__ import annotations

from idia_index.errors import InputError
from idia_index.support.text import shown

MOST = 10_000


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
            last, step = _whole(parts[place + 1], remedy), found[-1] - found[-2]
            if (last - found[-1]) // step > MOST:
                raise InputError(f"{option} {shown(text)}: more than {MOST} numbers; pass fewer")
            found += range(found[-1] + step, last, step)
        else:
            found.append(_whole(part, remedy))
    return tuple(found)


def _whole(part: str, remedy: str) -> int:
    if not (part.isascii() and part.isdigit() and len(part) < 16):
        raise InputError(remedy)
    return int(part)

"""Finds all occurrences of many byte strings in a buffer, with one automaton.

Hyperscan is faster than an Aho-Corasick automaton for a thousand names, but takes minutes to
compile a million; `ahocorasick_rs` handles any number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import MissingExtraError

Found = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Pattern numbers and the offsets of their ends, int64 [n] each, including overlapping ones."""

Automaton = Callable[[Any], Found]
"""Searches a buffer of bytes."""

HYPERSCAN_PATTERNS = 20_000
"""Maximum patterns for Hyperscan: more compile slowly and exceed the caches."""


def make_automaton(patterns: Sequence[bytes]) -> Automaton:
    """The fastest installed automaton for these patterns, none of them empty.

    Raises:
        MissingExtraError: `ahocorasick_rs` is not installed.
    """
    if not patterns:
        return lambda _: (np.empty(0, np.int64), np.empty(0, np.int64))
    # Hyperscan's literals end at a NUL byte.
    if len(patterns) <= HYPERSCAN_PATTERNS and not any(b"\0" in each for each in patterns):
        try:
            return hyperscan_automaton(patterns)
        except ImportError:
            pass  # not available for this machine; the other one finds the same
    return aho_corasick_automaton(patterns)


def hyperscan_automaton(patterns: Sequence[bytes]) -> Automaton:
    """Hyperscan over literals; raises ImportError."""
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    count = len(patterns)
    database.compile(
        expressions=list(patterns), ids=list(range(count)), elements=count, flags=0, literal=True
    )

    def find(buffer: Any) -> Found:
        numbers: list[int] = []
        ends: list[int] = []

        def matched(number: int, _: int, end: int, *__: object) -> None:
            numbers.append(number)
            ends.append(end)

        database.scan(buffer, match_event_handler=matched)
        return np.array(numbers, np.int64), np.array(ends, np.int64)

    return find


def aho_corasick_automaton(patterns: Sequence[bytes]) -> Automaton:
    """Aho-Corasick; raises MissingExtraError."""
    try:
        from ahocorasick_rs import BytesAhoCorasick
    except ImportError as error:
        raise MissingExtraError("searching captions", "ahocorasick_rs", "members") from error
    automaton = BytesAhoCorasick(patterns)

    def find(buffer: Any) -> Found:
        found = automaton.find_matches_as_indexes(buffer, overlapping=True)
        table = np.array(found, np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 2]

    return find

"""Items come in order, one is made ahead, and errors come where they belong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from idia_index.ahead import one_ahead


def test_items_come_in_order_and_none_is_lost() -> None:
    assert list(one_ahead(iter(range(100)))) == list(range(100))
    assert list(one_ahead([])) == []
    assert list(one_ahead([None, 0, ""])) == [None, 0, ""]


def test_the_next_is_made_while_one_is_used() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    for item in one_ahead(items()):
        if item == 1:
            assert made.wait(5)


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    seen = []
    with pytest.raises(OSError, match="broken"):
        seen.extend(one_ahead(items()))
    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="broken"):
        next(ahead)

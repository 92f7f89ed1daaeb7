"""Items come in order, one is prepared ahead, and errors are raised in the right place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from idia_index.support.concurrency import in_threads, one_ahead, one_behind


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


def test_items_of_several_threads_come_in_order_with_their_results() -> None:
    ready = threading.Barrier(3)

    def square(n: int) -> int:
        if n < 3:
            ready.wait(5)  # the first three are being worked on at the same time
        return n * n

    prepared: list[int] = []
    found = in_threads(square, range(50), 3, lambda: prepared.append(1))
    assert list(found) == [(n, n * n) for n in range(50)]
    assert len(prepared) == 3
    assert list(in_threads(square, [], 3, lambda: None)) == []


def test_an_error_in_a_thread_comes_after_the_results_before_it() -> None:
    begun = []

    def work(n: int) -> int:
        begun.append(n)
        if n == 4:
            raise OSError("broken")
        return n

    seen = []
    with pytest.raises(OSError, match="broken"):
        for n, _ in in_threads(work, range(1000), 2, lambda: None):
            seen.append(n)
    assert seen == [0, 1, 2, 3] and len(begun) < 20


def test_who_stops_early_leaves_the_rest_undone() -> None:
    begun: list[int] = []
    results = in_threads(begun.append, range(1000), 2, lambda: None)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 20


def test_what_is_handed_over_is_done_one_piece_behind() -> None:
    done: list[int] = []
    gate = threading.Event()

    def piece(n: int) -> None:
        gate.wait(5)
        done.append(n)

    with one_behind() as later:
        later(lambda: piece(1))
        assert done == []  # the caller went on
        gate.set()
        later(lambda: piece(2))
        assert done[0] == 1
    assert done == [1, 2]


def test_errors_of_what_is_handed_over_are_raised() -> None:
    def fails() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), one_behind() as later:
        later(fails)
    with pytest.raises(OSError, match="full"), one_behind() as later:
        later(fails)
        later(lambda: None)
    with pytest.raises(ValueError, match="mine"), one_behind() as later:
        later(fails)
        raise ValueError("mine")

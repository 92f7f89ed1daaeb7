"""The order in which NumPy's plain quicksort leaves equal numbers.

The authors sorted first names by frequency with pandas' default, an unstable quicksort, and then
cut at 1,000 and drew by position: which of two equally frequent names comes first decides what is
drawn. NumPy's result depends on the processor today (it has other kernels for AVX2 and AVX-512), so
the order cannot be asked of it. This is the portable algorithm that every NumPy until 1.24 used and
that later ones use without those instructions: quicksort by the median of three, runs of up to 16
by insertion.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHORT = 15  # ends of a run that far apart, or less, are sorted by insertion


def descending_order(values: Sequence[float]) -> list[int]:
    """Positions of the values, largest first, equal ones as pandas' `sort_values` leaves them.

    pandas sorts the values in reverse order ascending, and reverses the result.
    """
    last = len(values) - 1
    order = ascending_order(list(reversed(values)))
    return [last - place for place in reversed(order)]


def ascending_order(values: Sequence[float]) -> list[int]:
    """Positions of the values, smallest first, equal ones as the plain quicksort leaves them."""
    order = list(range(len(values)))
    waiting = [(0, len(order) - 1)]
    while waiting:
        low, high = waiting.pop()
        while high - low > _SHORT:
            middle = _partition(values, order, low, high)
            waiting.append((middle + 1, high))
            high = middle - 1
        _insert(values, order, low, high)
    return order


def _partition(values: Sequence[float], order: list[int], low: int, high: int) -> int:
    """Splits a run around the median of its ends and middle; where that median ends up."""
    middle = low + (high - low) // 2
    for one, other in ((middle, low), (high, middle), (middle, low)):
        _swap_if_less(values, order, one, other)
    pivot = values[order[middle]]
    _swap(order, middle, high - 1)
    left, right = low, high - 1
    while True:
        left += 1
        while values[order[left]] < pivot:
            left += 1
        right -= 1
        while pivot < values[order[right]]:
            right -= 1
        if left >= right:
            break
        _swap(order, left, right)
    _swap(order, left, high - 1)
    return left


def _swap_if_less(values: Sequence[float], order: list[int], one: int, other: int) -> None:
    if values[order[one]] < values[order[other]]:
        _swap(order, one, other)


def _swap(order: list[int], one: int, other: int) -> None:
    order[one], order[other] = order[other], order[one]


def _insert(values: Sequence[float], order: list[int], low: int, high: int) -> None:
    for place in range(low + 1, high + 1):
        item = order[place]
        while place > low and values[item] < values[order[place - 1]]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = item

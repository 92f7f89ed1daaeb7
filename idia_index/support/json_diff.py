"""Two JSON documents compared value by value: where they differ, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from idia_index.support.documents import Json
from idia_index.support.text import labelled

MISSING = "(not there)"


@dataclass(frozen=True)
class Difference:
    """One value that differs.

    Attributes:
        where: its place, such as `subjects[Jane Doe].votes[3].winner`.
        what: its kind, which is the place without what stands in brackets.
        recorded: the value of the first document; `MISSING` where it has none.
        recomputed: that of the second, likewise.
    """

    where: str
    what: str
    recorded: Json
    recomputed: Json


def differences(
    recorded: Any,
    recomputed: Any,
    *,
    tolerance: float = 0.0,
    ignored: Sequence[str] = (),
    tables: Sequence[str] = (),
) -> list[Difference]:
    """Every difference of two documents, as `json.loads` gives them.

    Lists of objects that all have a `name` of their own, with their `person_id` if they have one,
    are compared by it, others by place.

    Args:
        recorded: the first document, of whatever content.
        recomputed: the second; its numbers are finite.
        tolerance: by which two numbers may differ if one of them is no whole number.
        ignored: kinds of values that are left aside, with all that is below them.
        tables: kinds of objects whose values are all of one kind, whatever their keys.
    """
    walk = _Walk(tolerance, frozenset(ignored), frozenset(tables))
    return list(walk.of(recorded, recomputed, "", ""))


@dataclass(frozen=True)
class _Walk:
    tolerance: float
    ignored: frozenset[str]
    tables: frozenset[str]

    def of(self, a: Any, b: Any, where: str, what: str) -> Iterator[Difference]:
        if what in self.ignored:
            return
        if isinstance(a, dict) and isinstance(b, dict):
            for key, values in _matched(a, b):
                if what in self.tables:
                    yield from self.of(*values, f"{where}[{key}]", what)
                else:
                    yield from self.of(*values, _below(where, key), _below(what, key))
        elif isinstance(a, list) and isinstance(b, list):
            yield from self._lists(a, b, where, what)
        elif not self._same(a, b):
            yield Difference(where, what, a, b)

    def _lists(self, a: list[Any], b: list[Any], where: str, what: str) -> Iterator[Difference]:
        first, second = _by_name(a), _by_name(b)
        if first is None or second is None:
            first, second = dict(enumerate(a)), dict(enumerate(b))
        elif (order := [n for n in first if n in second]) != [n for n in second if n in first]:
            yield Difference(f"{where}: order", f"{what}: order", order, list(second))
        for key, values in _matched(first, second):
            yield from self.of(*values, f"{where}[{key}]", what)

    def _same(self, a: Any, b: Any) -> bool:
        if _is_number(a) and _is_number(b):
            free = self.tolerance if isinstance(a, float) or isinstance(b, float) else 0
            return bool(b - free <= a <= b + free)
        # True is no 1, and a text is no number.
        return type(a) is type(b) and bool(a == b)


def _matched(a: dict[Any, Any], b: dict[Any, Any]) -> Iterator[tuple[Any, tuple[Any, Any]]]:
    """Every key of either, with both values."""
    for key in (*b, *(key for key in a if key not in b)):
        yield key, (a.get(key, MISSING), b.get(key, MISSING))


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_name(items: list[Any]) -> dict[Any, Any] | None:
    """Items by their names; None where one has none, or two have the same."""
    names = [_name(item) for item in items]
    if None in names or len(set(names)) < len(names):
        return None
    return dict(zip(names, items, strict=True))


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str):
        return None
    person = item.get("person_id")
    return labelled(name, person if isinstance(person, str) else None)

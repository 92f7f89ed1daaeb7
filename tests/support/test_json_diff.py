"""Documents compared value by value."""

from __future__ import annotations

import copy

from idia_index.support.json_diff import MISSING, differences


def test_differences_of_documents() -> None:
    before = {"a": [1, 2.0, True], "b": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "t": {}}
    now = copy.deepcopy(before)
    assert differences(before, now) == []
    now["a"] = [1, 2.5, 1]
    now["b"] = [{"name": "y", "v": 2}, {"name": "z", "v": 3}]
    now["t"] = {"p/q": 1}
    found = differences(before, now, tables=("t",))
    assert [(d.where, d.what, d.recorded, d.recomputed) for d in found] == [
        ("a[1]", "a", 2.0, 2.5),
        ("a[2]", "a", True, 1),
        ("b[z]", "b", MISSING, {"name": "z", "v": 3}),
        ("b[x]", "b", {"name": "x", "v": 1}, MISSING),
        ("t[p/q]", "t", MISSING, 1),
    ]
    assert not differences([0.1, 3], [0.1000009, 3], tolerance=1e-6)
    assert differences([1], [2], tolerance=5)  # integers are exact
    assert differences([float("nan"), 10**400], [0.0, 1.0], tolerance=1e-6) != []
    assert [d.where for d in differences(before["b"], before["b"][::-1])] == [": order"]
    assert differences({"b": 1}, {"b": [{}]}, ignored=("b",)) == []

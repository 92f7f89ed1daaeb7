"""Checks that the places of a document's type, which rules may name, are those of a document."""

from __future__ import annotations

from idia_index.pipelines.policies import numbers_of, places_of
from idia_index.report.policy import Rule, check_places
from idia_index.support.documents import JsonObject


def check_numbers_have_places(document: JsonObject, kind: type) -> None:
    known = [place for place, value in numbers_of(document).items() if value is not None]
    assert known
    check_places([Rule(place, place, ">", 0.0) for place in known], places_of(kind))

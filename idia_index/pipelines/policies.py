"""Applies a policy: checks rules on a document and writes the outcome to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from idia_index.errors import InputError, PolicyError
from idia_index.report.policy import (
    Judged,
    Rule,
    check_places,
    judge,
    junit_xml,
    numbers,
    parse_rule,
    sarif_json,
)
from idia_index.support.documents import number_places
from idia_index.support.files import check_writable, write_whole
from idia_index.support.text import counted, shown_path

if TYPE_CHECKING:
    from idia_index.support.documents import JsonObject

GROUPS = "groups."
PEOPLE = ("people.all", "people.associated", "people.not_tested")


@dataclass(frozen=True)
class Policy:
    """The rules of a run.

    Attributes:
        rules: conditions that must not hold.
        junit: path of a JUnit file.
        sarif: path of a SARIF file.
    """

    rules: tuple[Rule, ...] = ()
    junit: Path | None = None
    sarif: Path | None = None

    def check_files(self) -> None:
        """Creates the folders of its files; raises InputError or OSError if one is not writable."""
        for file in filter(None, (self.junit, self.sarif)):
            if file.is_dir():
                raise InputError(f"{shown_path(file)}: is a folder; name a file in it")
            check_writable(file.parent if file.exists() else file)
            file.parent.mkdir(parents=True, exist_ok=True)

    def judged(self, document: JsonObject) -> tuple[Judged, ...]:
        """Checks the rules on a document; raises InputError for a place that it does not have."""
        return judge(self.rules, numbers_of(document))

    def enforce(self, judged: Sequence[Judged], suite: str, subject: Path) -> None:
        """Writes the files, and raises PolicyError if a rule fails.

        Args:
            judged: the result of `judged`.
            suite: name of the rules in the JUnit file.
            subject: the file or folder that was judged, for the SARIF file.
        """
        if self.junit is not None:
            write_whole(self.junit, junit_xml(judged, suite).encode("utf-8"))
        if self.sarif is not None:
            text = sarif_json(judged, quote(subject.as_posix()))
            write_whole(self.sarif, text.encode("utf-8"))
        failed = [each for each in judged if each.failed]
        if failed:
            raise PolicyError(
                f"{counted(len(failed), 'rule')} of {len(judged)} failed: "
                + "; ".join(each.told for each in failed)
            )


def rules_of(texts: Sequence[str], kind: type) -> tuple[Rule, ...]:
    """Rules for a type of document, checked before there is one.

    Raises:
        InputError: a text is not a rule, or refers to a number that no such document has.
    """
    rules = tuple(parse_rule(text) for text in texts)
    check_places(rules, places_of(kind))
    return rules


def places_of(kind: type) -> list[str]:
    """The places of `numbers_of`, by a document's type."""
    places = list(number_places(kind))
    places += [each.removeprefix(GROUPS) for each in places if each.startswith(GROUPS)]
    if {"subjects", "skipped"} <= {each.name for each in fields(kind)}:
        places += PEOPLE
    return places


def numbers_of(document: JsonObject) -> dict[str, float | None]:
    """The numbers that rules may use: all of a document, and some under shorter names.

    A comparison's groups have their own names (`forget.still_associated`). An audit and an
    evaluation count their people: `people.all`, `people.associated`, `people.not_tested`.
    """
    found = numbers(document)
    for place, value in list(found.items()):
        if place.startswith(GROUPS):
            found[place.removeprefix(GROUPS)] = value
    subjects, skipped = document.get("subjects"), document.get("skipped")
    if isinstance(subjects, Sequence) and isinstance(skipped, Sequence):
        left_out = document.get("left_out", ())
        associated = sum(
            1 for each in subjects if isinstance(each, dict) and each.get("inferred_member")
        )
        gone = len(skipped) + (len(left_out) if isinstance(left_out, Sequence) else 0)
        found |= zip(PEOPLE, (len(subjects), associated, gone), strict=True)
    return found

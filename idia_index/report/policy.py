"""Checks rules over a document's numbers that must not hold: `forget.still_associated>0`.

The grammar is `PLACE OPERATOR NUMBER`: a place is the path of a number in the JSON document, keys
joined by full stops; operators are > >= < <= == !=. Rules are parsed, never executed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from idia_index._version import __version__
from idia_index.errors import InputError
from idia_index.support.documents import Json, JsonObject
from idia_index.support.text import json_text, printable, shown

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_RULE = re.compile(
    r"\s*([A-Za-z_][\w.]*)\s*(>=|<=|==|!=|>|<)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(%?)\s*"
)
LISTED = 5  # maximum places listed in an error

Numbers = Mapping[str, "float | None"]


@dataclass(frozen=True)
class Rule:
    """A condition that must not hold for a document.

    Attributes:
        text: as given.
        place: path of the number.
        sign: comparison operator.
        limit: the number to compare with.
    """

    text: str
    place: str
    sign: str
    limit: float


@dataclass(frozen=True)
class Judged:
    """A rule that was checked on a document.

    Attributes:
        rule: the rule, as given.
        value: the document's number; null if unknown.
        failed: whether the rule's condition is met, or cannot be checked.
    """

    rule: str
    value: float | None
    failed: bool

    @property
    def told(self) -> str:
        """The rule and what was found, in words."""
        if self.value is None:
            return f"{self.rule}: the value is unknown, so the rule cannot be checked"
        return f"{self.rule}: the value is {self.value:.6g}"


def parse_rule(text: str) -> Rule:
    """Parses a rule.

    Raises:
        InputError: it is not a rule.
    """
    found = _RULE.fullmatch(text)
    if found is None or not math.isfinite(float(found.group(3))):
        raise InputError(
            f"--fail-on {shown(text)}: pass a place, one of > >= < <= == != and a number, such as "
            "'retain.tpr_drop>0.02'"
        )
    place, sign, number, share = found.groups()
    return Rule(text.strip(), place, sign, float(number) / (100 if share else 1))


def numbers(document: JsonObject) -> dict[str, float | None]:
    """Every number, boolean and null of a document by its place, except in lists."""
    out: dict[str, float | None] = {}

    def walk(value: Json, place: str) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                walk(each, f"{place}.{key}" if place else str(key))
        elif value is None or isinstance(value, bool | int | float):
            out[place] = None if value is None else float(value)

    walk(document, "")
    return out


def judge(rules: Sequence[Rule], known: Numbers) -> tuple[Judged, ...]:
    """Checks rules on numbers; an unknown number fails its rule.

    Raises:
        InputError: a rule names a place that does not exist.
    """
    out = []
    for rule in rules:
        value = _at(rule, known)
        failed = value is None or OPERATORS[rule.sign](value, rule.limit)
        out.append(Judged(rule.text, value, failed))
    return tuple(out)


def _at(rule: Rule, known: Numbers) -> float | None:
    """The number at a rule's place; None if it or its parent is null."""
    keys = rule.place.split(".")
    for end in range(len(keys), 0, -1):
        place = ".".join(keys[:end])
        if place in known and (end == len(keys) or known[place] is None):
            return known[place]
    raise _unknown(rule, known)


def check_places(rules: Sequence[Rule], places: Collection[str]) -> None:
    """Refuses a rule on a number that a document cannot have.

    Args:
        rules: the rules.
        places: the places of its numbers; `*` is any key.

    Raises:
        InputError: a rule names another place.
    """
    for rule in rules:
        if not any(fnmatchcase(rule.place, place) for place in places):
            raise _unknown(rule, places)


def _unknown(rule: Rule, places: Collection[str]) -> InputError:
    close = get_close_matches(rule.place, places, n=LISTED, cutoff=0.5)
    listed = ", ".join(close or sorted(places)[:LISTED])
    return InputError(
        f"--fail-on {shown(rule.text)}: there is no number {rule.place!r} in this document; "
        f"{'similar' if close else 'available'}: {listed} (--json shows all)"
    )


SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RULE_ID = "idia-index/policy"


def junit_xml(judged: Sequence[Judged], suite: str) -> str:
    """One test case for each rule, as JUnit's XML."""
    from xml.etree import ElementTree  # imported late: too slow for `--help`

    failures = sum(each.failed for each in judged)
    root = ElementTree.Element("testsuites")
    own = ElementTree.SubElement(
        root, "testsuite", name=suite, tests=str(len(judged)), failures=str(failures), errors="0"
    )
    for each in judged:
        case = ElementTree.SubElement(own, "testcase", classname=suite, name=printable(each.rule))
        if each.failed:
            failure = ElementTree.SubElement(case, "failure", message=printable(each.told))
            failure.text = printable(each.told)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def sarif_json(judged: Sequence[Judged], subject: str) -> str:
    """One result for each failed rule, as SARIF 2.1.0; `subject` is a URI."""
    place: JsonObject = {"physicalLocation": {"artifactLocation": {"uri": subject}}}
    document: JsonObject = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "idia-index",
                        "version": __version__,
                        "rules": [
                            {
                                "id": RULE_ID,
                                "shortDescription": {"text": "A rule given with --fail-on"},
                            }
                        ],
                    }
                },
                "results": [
                    {
                        "ruleId": RULE_ID,
                        "level": "error",
                        "message": {"text": each.told},
                        "locations": [place],
                    }
                    for each in judged
                    if each.failed
                ],
            }
        ],
    }
    return json_text(document, indent=2)

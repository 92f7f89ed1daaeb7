"""Writes the outcome of a policy for CI systems: JUnit XML and SARIF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from idia_index._version import __version__
from idia_index.report.policy import Judged
from idia_index.support.text import json_text, printable

if TYPE_CHECKING:
    from idia_index.support.documents import JsonObject

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

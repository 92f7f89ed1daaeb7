"""Rules over the numbers of a document."""

from __future__ import annotations

import operator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.errors import InputError, PolicyError
from idia_index.pipelines.policies import Policy
from idia_index.report.policy import judge, numbers, parse_rule

SIGNS = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
DOCUMENT = {
    "tau": 2, "name": "x", "groups": {"forget": {"still_associated": 3, "ok": True}},
    "metrics": None, "list": [1, 2], "p": {"q": None},
}  # fmt: skip


@pytest.mark.parametrize(
    "text,failed",
    [
        ("tau>1", True), ("tau >= 2", True), ("tau<2", False), ("tau<=1.99", False),
        ("tau==2", True), ("tau!=2", False), ("groups.forget.still_associated>0", True),
        ("groups.forget.ok == 0", False), ("tau > 150%", True), ("tau > 2e0", False),
        ("metrics.tpr > 0", True), ("p.q == 0", True),
    ],
)  # fmt: skip
def test_rules(text: str, failed: bool) -> None:
    (found,) = judge([parse_rule(text)], numbers(DOCUMENT))
    assert found.failed is failed


@pytest.mark.parametrize(
    "text",
    ["", "tau", "tau>", ">1", "tau=1", "tau>1>2", "tau>x", "__import__('os')>1", "tau>1e999"],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--fail-on"):
        parse_rule(text)


def test_a_place_that_is_not_there_is_an_error_that_lists_places() -> None:
    for place in ("forget.still_asociated", "name", "list", "groups.forget"):
        with pytest.raises(InputError, match="there is no number"):
            judge([parse_rule(f"{place}>0")], numbers(DOCUMENT))


def test_what_is_not_known_fails_and_says_so() -> None:
    with pytest.raises(PolicyError, match=r"1 rule of 1 failed: metrics.tpr>0: .* unknown"):
        policy = Policy((parse_rule("metrics.tpr>0"),))
        policy.enforce(policy.judged(DOCUMENT), "suite", Path("x"))


def test_a_comparisons_groups_and_an_audits_people_have_short_names() -> None:
    (found,) = Policy((parse_rule("forget.still_associated>0"),)).judged(DOCUMENT)
    assert found.value == 3
    audited = {"subjects": [{"inferred_member": True}, {"inferred_member": False}], "skipped": []}
    rules = ("people.all==2", "people.associated==1", "people.not_tested==0")
    judged = Policy(tuple(map(parse_rule, rules))).judged(audited)
    assert [each.value for each in judged] == [2, 1, 0]


@given(
    st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([">", ">=", "<", "<=", "==", "!="])
)
def test_a_rule_compares_as_python_does(value: float, limit: float, sign: str) -> None:
    (found,) = judge([parse_rule(f"a.b {sign} {limit!r}")], {"a.b": value})
    assert found.failed == SIGNS[sign](value, limit)

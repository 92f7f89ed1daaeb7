"""Renders the tests of groups of people, in words and as rows."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.groups import LEVEL, GroupTest
from idia_index.report.format import p_value, percent
from idia_index.report.language import _
from idia_index.support.columns import table

COLUMNS = ("group", "people", "p", "adjusted p")


def groups_mean() -> str:
    """What a group's p-value means and does not mean."""
    return _(
        "A group's p-value asks whether the model knows anybody in the group; it is valid if one "
        "person's photos carry no information about another's. It says nothing about any single "
        "person: a group at p <= {level} may include people whom the model never saw."
    ).format(level=percent(LEVEL, 0))


def group_rows(groups: Sequence[GroupTest]) -> list[list[str]]:
    """A row for each group: see `COLUMNS`."""
    return [[g.group, str(g.people), p_value(g.p_value), p_value(g.q_value)] for g in groups]


def groups_text(groups: Sequence[GroupTest]) -> str:
    """The groups as a table, and how to interpret them."""
    return f"{table(COLUMNS, group_rows(groups))}\n{groups_mean()}"

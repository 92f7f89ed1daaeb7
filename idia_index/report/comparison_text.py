"""Renders a comparison in words and as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idia_index.evaluation.comparison import ChangeTest, GroupChange, PersonChange
from idia_index.report.format import interval, p_value, percent
from idia_index.support.columns import bullets, pairs, table
from idia_index.support.text import counted

if TYPE_CHECKING:  # avoids a cycle: documents import this module
    from idia_index.report.comparison import AgainstReference, Comparison

PEOPLE_SHOWN = 40
STRANGERS = {"others": "known non-members", "retain": "people to retain"}
SCORES = {"pmi": "PMI", "margin": "margin"}
NOT_DELETED = (
    '"No longer associated" means that this test no longer finds an association with these '
    "photos, templates and candidates. It does not show that anything was deleted from the model "
    "or its training data; other photos or another attack may still find the person."
)
CHANGES = (
    "Two training runs on the same data also differ: by chance some people are lost and some "
    "gained. So the main test asks whether the score dropped more for those to forget than for "
    "those to retain. It assumes that both were equally well known before; people chosen to be "
    "forgotten because of a high score will score lower in any second training run."
)


def comparison_notes(result: Comparison) -> list[str]:
    """What a reader must know to interpret the figures, a sentence or two each."""
    notes = [NOT_DELETED]
    if result.test is not None:
        notes += [CHANGES, power_text(result.test, "to retain")]
    if result.reference is not None and result.reference.test is not None:
        who = STRANGERS[result.reference.compared_with]
        notes.append(f"Reference: {power_text(result.reference.test, who)}")
    for name, group in result.groups.items():
        if group.people < 20:
            notes.append(
                f"Group {name!r} has {counted(group.people, 'person', 'people')}: its intervals "
                "are wide, and a relevant difference may be missed."
            )
    if result.skipped:
        notes.append(
            f"{counted(len(result.skipped), 'person was', 'people were')} left out because they "
            "could not be tested on every model."
        )
    return notes


def power_text(test: ChangeTest, others: str) -> str:
    """The difference that the test would have detected between those to forget and others."""
    sizes = f"With {test.first} to forget and {test.second} {others}"
    if test.detectable is None:
        return f"{sizes}, the test is too small to find any difference in 80% of cases."
    return (
        f"{sizes}, the test has a power of 80% if somebody to forget drops more than one of the "
        f"others in {percent(test.detectable)} of pairs (50% is no difference). It may miss a "
        "smaller difference."
    )


def test_text(test: ChangeTest) -> str:
    """The result of the main test."""
    side = "dropped more" if test.probability_lower > 0.5 else "dropped less"
    found = (
        f"P(drops more) = {percent(test.probability_lower)}, 95% CI {interval(test.ci95)}, "
        f"Mann-Whitney p = {p_value(test.p_value)}"
    )
    said = (
        f"the {SCORES[test.score]} of those to forget {side} than that of those to retain"
        if test.different
        else f"no difference was found between the drops of the {SCORES[test.score]} of those to "
        "forget and of those to retain"
    )
    return f"{said} ({found})"


def reference_text(reference: AgainstReference) -> str:
    """Whether AFTER can be told from the reference."""
    test = reference.test
    if test is None:
        return "there is nobody to compare those to forget with"
    who = STRANGERS[reference.compared_with]
    p = f"against {test.second} {who}; Mann-Whitney p = {p_value(test.p_value)}"
    if test.different:
        side = "lower" if test.probability_lower > 0.5 else "higher"
        return (
            f"AFTER can be told from the reference: those to forget score {side} on it than on the "
            f"model that never saw them ({p})"
        )
    return f"AFTER was not told from the reference ({p})"


def comparison_text(result: Comparison) -> str:
    """Verdict, groups and people for a terminal."""
    head = {"before": result.before.given, "after": result.after.given}
    if result.reference is not None:
        head["reference"] = result.reference.model.given
    lines = [pairs(head), ""]
    if result.test is not None:
        lines += [f"Main test: {test_text(result.test)}."]
    if result.reference is not None:
        lines += [f"Reference: {reference_text(result.reference)}."]
    rows = [_group_row(name, group) for name, group in result.groups.items()]
    people = [_people_row(person) for person in people_in_order(result)[:PEOPLE_SHOWN]]
    lines += ["", table(GROUP_HEAD, rows), "", table(PEOPLE_HEAD, people)]
    if len(result.people) > PEOPLE_SHOWN:
        lines.append(f"... and {len(result.people) - PEOPLE_SHOWN} more (--json or --out has all)")
    return "\n".join([*lines, "", bullets(result.notes)])


GROUP_HEAD = ["group", "people", "still", "no longer", "newly", "never", "drop of the rate",
              "McNemar p", "equivalent"]  # fmt: skip
PEOPLE_HEAD = ["person", "group", "status", "prompts", "margin", "control p"]


def _group_row(name: str, group: GroupChange) -> list[str]:
    numbers = (group.people, group.still_associated, group.no_longer, group.newly, group.never)
    drop = f"{percent(group.tpr_drop)} ({interval(group.tpr_drop_ci95)})"
    within = "shown" if group.equivalent else "not shown"
    return [name, *map(str, numbers), drop, p_value(group.mcnemar_p),
            f"{within} ({percent(group.equivalence_margin)})"]  # fmt: skip


def people_in_order(result: Comparison) -> list[PersonChange]:
    """Those to forget first, and in each group those who are still associated."""
    groups, statuses = list(result.groups), ["still associated", "newly", "no longer", "never"]
    return sorted(
        result.people,
        key=lambda p: (groups.index(p.group), statuses.index(p.status), -p.correct_prompts_before),
    )


def _people_row(p: PersonChange) -> list[str]:
    return [
        p.label, p.group, p.status,
        f"{p.correct_prompts_before} -> {p.correct_prompts_after}",
        f"{p.margin_before:+.3f} -> {p.margin_after:+.3f}",
        f"{p_value(p.p_value_before)} -> {p_value(p.p_value_after)}",
    ]  # fmt: skip

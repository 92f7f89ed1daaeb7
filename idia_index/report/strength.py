"""Explains the grade of a person's evidence in words."""

from __future__ import annotations

from idia_index.evaluation.strength import CLEAR, LEAST_IMAGES, PROMPTS_ALONE, WEAK, Grade
from idia_index.report.format import p_value
from idia_index.report.language import _, figure, ngettext, number
from idia_index.report.subject_result import SubjectResult


def strength_rule() -> str:
    """The rule for the grade, in words."""
    return _(
        "Clear: the rule infers a member, and both p-values are at most {clear}; where other "
        "people's photos are not available for the second, at least {prompts} prompts choose the "
        "name. Weak: the rule infers a member, or the larger p-value is at most {weak}. None: "
        "neither."
    ).format(clear=figure(f"{CLEAR:g}"), prompts=PROMPTS_ALONE, weak=figure(f"{WEAK:g}"))


def grade_name(strength: Grade) -> str:
    """A grade, for readers."""
    return {"clear": _("clear"), "weak": _("weak"), "none": _("none")}[strength]


def names_as_good(person: SubjectResult) -> int | None:
    """Number of control names that fit a person's photos at least as well; None if not tested."""
    if person.control_p_value is None or person.controls is None:
        return None
    return round(person.control_p_value * (person.controls + 1)) - 1


def comparison(person: SubjectResult) -> str | None:
    """A sentence on how the name compares with control names; None if not tested."""
    as_good = names_as_good(person)
    if as_good is None:
        return None
    if not person.controls:
        return _("The index holds no other name to compare with, so there is no p-value.")
    said = ngettext(
        "Of {n} comparable name, {as_good} would have done as well (p = {p}).",
        "Of {n} comparable names, {as_good} would have done as well (p = {p}).",
        person.controls,
    )
    return said.replace("{as_good}", number(as_good)).replace(
        "{p}", p_value(person.control_p_value or 1.0)
    )


def strength_reason(person: SubjectResult) -> str:
    """Why the evidence for a person has its grade; empty without a grade."""
    if person.strength is None:
        return ""
    if person.strength == "clear":
        return _("The model rarely answers like this for people it does not know.")
    if person.strength == "none":
        return _(
            "Nothing sets this name apart for these photos; most people with few photos in the "
            "training data look like this, too."
        )
    if not person.inferred_member:
        return _(
            "The rule finds no association, yet the name fits better than chance would usually "
            "make it."
        )
    if person.control_p_value is not None and person.control_p_value > CLEAR:
        return _("Other names fit these photos as well or nearly: it may be chance.")
    if person.images < LEAST_IMAGES:
        return _("There are too few photos: it may be chance.")
    if person.name_fixed_p_value is None:
        return _("It may be a name that fits anybody's photos: few prompts choose it.")
    return _("Other people's photos fit this name as well or nearly: it may be chance.")

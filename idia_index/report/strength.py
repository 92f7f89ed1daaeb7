"""The grade of a person's evidence, and what it rests on, in words."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.strength import CLEAR, MANY_PROMPTS, WEAK, Grade, strength
from idia_index.report.documents import SubjectResult
from idia_index.report.format import p_value, percent

RULE = (
    f"Clear: the rule infers a member, the name is among the best {percent(CLEAR, 0)} of "
    f"comparable names for these photos, and the photos are among the best {percent(CLEAR, 0)} of "
    "other people's for this name; where no other people's photos are at hand, "
    f"{percent(MANY_PROMPTS, 0)} of the prompts must choose the name. Weak: the rule infers a "
    f"member, or a p-value is at most {WEAK:g}. None: neither."
)


@dataclass(frozen=True)
class Strength:
    """A grade and its reason."""

    grade: Grade
    reason: str


def strength_of(person: SubjectResult) -> Strength:
    """How strong the evidence for a person is."""
    grade = strength(
        correct=person.correct_prompts / len(person.votes),
        inferred_member=person.inferred_member,
        control_p_value=person.control_p_value,
        name_fixed_p_value=person.name_fixed_p_value,
        images=person.images,
    )
    return Strength(grade, _reason(person, grade))


def as_well(person: SubjectResult) -> int:
    """How many of a person's control names fit the photos at least as well as the name."""
    p, controls = person.control_p_value or 1.0, person.controls or 0
    return round(p * (controls + 1)) - 1


def _reason(person: SubjectResult, grade: Grade) -> str:
    if grade == "none":
        return (
            "Nothing sets this name apart for these photos. People with few photographs in the "
            "training data mostly look like this, too."
        )
    if grade == "clear":
        return "Such an answer is rare for people whom the model does not know."
    if not person.inferred_member:
        return (
            f"The published rule finds no association, but the name fits better than chance would "
            f"mostly have it (p = {p_value(person.p_value or 1.0)})."
        )
    if person.control_p_value is not None and person.control_p_value > CLEAR:
        return "Other names fit these photos nearly as well: it may well be chance."
    return (
        "It may be chance: whether this name fits anybody's photos was not seen, or it fits other "
        "people's photos, too."
    )

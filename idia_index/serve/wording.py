"""What the answer's page says in sentences."""

from __future__ import annotations

from idia_index.report.subject_result import SubjectResult


def verdict_sentence(person: SubjectResult) -> str:
    """The decision, in the report's own words."""
    verdict = person.verdict[0].upper() + person.verdict[1:]
    return f"{verdict}: {person.name}."


def explanations(person: SubjectResult) -> list[str]:
    """What else than training images of the person would explain the answer."""
    if person.inferred_member:
        said = [
            "Somebody else of the same name, who looks alike or was photographed alike, was in the "
            "training data.",
            "The model prefers this name for faces of this age, sex or origin, or for photos of "
            "this kind.",
            "Chance: with 21 prompts, a name now and then wins one of them.",
        ]
        if person.rival_spellings:
            said.append("The name is among the candidates in another spelling, too.")
        return said
    return [
        "The person was in the training data with few photographs: most such people are missed.",
        "The captions had another spelling, a nickname, or no name.",
        "The photos differ from those of the training data: a small or turned face, others in the "
        "picture, another age.",
        "The model is too small to remember, or was trained on other data.",
    ]

"""A letter to the provider of a model, from whoever was tested."""

from __future__ import annotations

from idia_index.report.documents import AuditResult
from idia_index.report.format import p_value
from idia_index.report.language import _, ngettext, number
from idia_index.report.subject_result import SubjectResult


def letter(result: AuditResult, *, erasure: bool) -> str:
    """A draft with blanks: what was found, no more than it shows, and what is asked for.

    Args:
        result: of one person.
        erasure: asks for erasure and objects; else for access.
    """
    (person,) = result.subjects
    model = result.index.fingerprint.architecture
    subject = _("Erasure of my data and objection") if erasure else _("Access to my data")
    asked, points = _erasure() if erasure else _access()
    return "\n\n".join(
        [
            _("[Your name and address]"),
            _("To: [provider of the model, data protection officer]"),
            _("[date]"),
            _("{subject}: model {model}").format(subject=subject, model=model),
            _("Dear Sir or Madam,"),
            f"{_found(result, person)} {_says(person.inferred_member)}",
            asked,
            "\n".join(f"{n}. {point}" for n, point in enumerate(points, 1)),
            _(
                "Please answer within one month (Article 12(3)). To establish who I am I offer "
                "[what you offer]."
            ),
            _("Yours faithfully,"),
            f"{person.name}\n",
        ]
    )


def _found(result: AuditResult, person: SubjectResult) -> str:
    said = _(
        "You provide or use the model {model} (SHA-256 of its weights: {hash}). I tested it with "
        "photographs of myself by a published method (Hintersdorf et al., {title}, Journal of "
        "Artificial Intelligence Research 80, 2024). It was asked in {prompts} differently worded "
        "sentences which of {candidates} names fits {photos} of me; sentences in which it chose "
        "{name} most often: {correct}."
    ).format(
        model=result.index.fingerprint.architecture,
        hash=result.index.fingerprint.weights_sha256,
        title='"Does CLIP Know My Face?"',
        correct=person.correct_prompts,
        prompts=len(result.templates),
        name=f'"{person.name}"',
        photos=ngettext("{n} photograph", "{n} photographs", person.images),
        candidates=number(result.candidates),
    )
    if person.p_value is None:
        return said
    chance = _(
        "A model that does not know me would give a result at least this strong with a "
        "probability of {p}."
    )
    return f"{said} {chance.format(p=p_value(person.p_value))}"


def _says(associated: bool) -> str:
    if associated:
        return _(
            "The model associates my face with my name. That is evidence, not proof, that "
            "photographs of me were among its training data together with my name."
        )
    return _(
        "The test found no association of my face with my name. It often misses people who were "
        "in the training data, so I ask you, who know these data."
    )


def _access() -> tuple[str, list[str]]:
    """What is asked for, and its points."""
    return _("I ask for access under Article 15 of Regulation (EU) 2016/679 (GDPR):"), [
        _(
            "whether personal data about me, photographs and captions with my name included, were "
            "used to train this model;"
        ),
        _("if so, a copy of these data, where they came from, and to whom they were given;"),
        _(
            "for what purpose and on what legal basis they were used, and for how long they are "
            "kept."
        ),
    ]


def _erasure() -> tuple[str, list[str]]:
    asked = _(
        "I ask for erasure under Article 17 of Regulation (EU) 2016/679 (GDPR), and object to "
        "further processing under Article 21:"
    )
    return asked, [
        _(
            "erase my photographs, and captions with my name, from the training data and from "
            "copies that you gave to others, whom I ask you to inform (Article 19);"
        ),
        _("do not use them to train this model's successors;"),
        _("say what you do about what the model itself has kept of them, and how you verify it."),
    ]

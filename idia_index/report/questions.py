"""Supervisory authorities' questions about a model, answered as far as an audit can."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.report.documents import AuditResult
from idia_index.report.format import between, interval, percent
from idia_index.report.language import _, ngettext, number
from idia_index.report.people import found_text


@dataclass(frozen=True)
class Question:
    """A question and this audit's answer; `left_open` if others have to answer."""

    asked: str
    answer: str
    left_open: bool = False


@dataclass(frozen=True)
class Source:
    """The source of questions, and their subject."""

    title: str
    about: str
    questions: tuple[Question, ...]


def questions(result: AuditResult) -> tuple[Source, ...]:
    """All questions, by source."""
    return (
        Source(
            _("European Data Protection Board, opinion 28/2024 on AI models (17 December 2024)"),
            _(
                "A model trained on personal data is anonymous only if, considering all means "
                "reasonably likely to be used, the likelihood is insignificant that data about "
                "people in the training data can be extracted from it or obtained by querying it. "
                "That is judged case by case."
            ),
            (*_on_extraction(result), *_on_development(result)),
        ),
        Source(
            _("CNIL, sheets on AI: models under the GDPR (22 July 2025), and rights of people"),
            _(
                "A model that has memorised personal data, which can be extracted by means "
                "reasonably likely to be used, is within the GDPR. The provider is expected to "
                "test this by attacks, and to document it."
            ),
            _of_cnil(result),
        ),
    )


def _on_extraction(result: AuditResult) -> tuple[Question, ...]:
    service = result.backend.service is not None
    images = [subject.images for subject in result.subjects]
    return (
        Question(_("Can data about people be obtained by asking the model?"), _obtained(result)),
        Question(
            _("By what means was this tried?"),
            _(
                "By one attack, identity inference: with photos ({images} per person) "
                "and names known beforehand, using the model's answers alone, without access to "
                "the training data."
            ).format(images=between(min(images), max(images))),
        ),
        Question(_("How often is the test wrong?"), _errors(result)),
        Question(
            _("Were other attacks tried?"),
            _(
                "None by this audit: other membership inference, attribute inference, model "
                "inversion, reconstruction, and regurgitation of training data."
            ),
            left_open=True,
        ),
        Question(
            _("Do safeguards around the model withhold answers?"),
            _("The service was asked as its customers ask it; its measures are not known here.")
            if service
            else _("The model itself was queried, without the safeguards that a product may add."),
            left_open=True,
        ),
    )


def _obtained(result: AuditResult) -> str:
    clear = sum(subject.strength == "clear" for subject in result.subjects)
    said = _("For {found} of {people} tested the model associates face and name.").format(
        found=number(len(result.associated)),
        people=ngettext("{n} person", "{n} people", len(result.subjects)),
    )
    if clear:
        return f"{said} " + ngettext(
            "For {n} of them the evidence is clear, which speaks against calling the model "
            "anonymous.",
            "For {n} of them the evidence is clear, which speaks against calling the model "
            "anonymous.",
            clear,
        )
    return f"{said} " + _(
        "The evidence is clear for none. That does not show that the model is anonymous: other "
        "people and other attacks were not tested."
    )


def _errors(result: AuditResult) -> str:
    metrics = result.metrics
    if metrics is None or metrics.members.rate is None:
        said = _("How often members are missed is not known here.")
    else:
        said = found_text(metrics.members)
    if metrics is None or metrics.non_members.rate is None:
        return f"{said} " + _("How often non-members are taken for members is not known here.")
    wrong = metrics.non_members
    return f"{said} " + _("Of {members} {found}: {rate} (95% CI {interval}).").format(
        members=ngettext("{n} known non-member", "{n} known non-members", wrong.total),
        found=ngettext("{n} was taken for a member", "{n} were taken for members", wrong.hits),
        rate=percent(wrong.rate),
        interval=interval(wrong.ci95),
    )


def _on_development(result: AuditResult) -> tuple[Question, ...]:
    known = sum(subject.membership is not None for subject in result.subjects)
    told = ngettext(
        "For {n} person of this audit it was stated whether the training data name the person.",
        "For {n} people of this audit it was stated whether the training data name them.",
        known,
    )
    return (
        Question(
            _("Where are the training data from, and how were they chosen, reduced and cleaned?"),
            " ".join([_("Only the developer can say."), *([told] if known else [])]),
            left_open=True,
        ),
        Question(
            _("What was done in training to prevent memorising people?"),
            _("Only the developer can say; this audit measures what is left."),
            left_open=True,
        ),
        Question(
            _("Are threats, impact assessment and remaining risks documented?"),
            _(
                "This report can be a part of that documentation: its annex says what was tested "
                "and how to repeat it."
            ),
            left_open=True,
        ),
        Question(
            _("On which legal basis was the model trained, and is it used (with legitimate "
              "interests: interest, necessity, balance)?"),
            _("The lawful basis on the first page is that of this test, not of the model."),
            left_open=True,
        ),
        Question(
            _("If the model was trained unlawfully, what follows for its use?"),
            _("That is for the controller and the authorities to say."),
            left_open=True,
        ),
    )  # fmt: skip


def _of_cnil(result: AuditResult) -> tuple[Question, ...]:
    return (
        Question(
            _("Was the model tested by attacks that re-identify people, and is that documented?"),
            _("By one, identity inference; this report and its annex document it."),
        ),
        Question(
            _("Are the means of the attack reasonably likely to be used?"),
            _(
                "It required photos, names, a list of {candidates} candidate names, and the "
                "model's answers. Who can obtain photos of these people, and who can query the "
                "model, is for the controller to judge."
            ).format(candidates=number(result.candidates)),
            left_open=True,
        ),
        Question(
            _("Can a person who asks for access be found in the model?"),
            _(
                "To the extent of this test, with a name and photos that the person gives (idia-"
                "index query). Finding nothing does not show that nothing is there."
            ),
        ),
        Question(
            _("Do erasure and objection take effect in the model?"),
            _(
                "After the model was changed, idia-index compare measures the same people on both "
                "models."
            ),
            left_open=True,
        ),
        Question(
            _("Are the data of the audit itself kept safe?"),
            _(
                "Report and index are readable by their owner alone, and the photos are not copied "
                "unless the page shows faces. The index may keep embeddings of the faces "
                "(images.cache), which are biometric data. Delete all of it when the purpose is "
                "served."
            ),
        ),
    )

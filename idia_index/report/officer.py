"""The first page of a report: the question, the result and its meaning, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from idia_index.evaluation.evidence import About
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.language import _, ngettext, number


def stated(result: AuditResult) -> About:
    """The auditor's statements about the audit; all of them optional."""
    about = result.replay.about if isinstance(result, EvaluationResult) else None
    return about or About()


def about_rows(about: About) -> list[tuple[str, str]]:
    """The statements, except the title."""
    rows = (
        (_("date"), about.date),
        (_("organisation"), about.organisation),
        (_("purpose"), about.purpose),
        (_("lawful basis of this test"), about.lawful_basis),
        (_("auditor"), about.auditor),
    )
    return [(key, value) for key, value in rows if value is not None]


def lead(result: AuditResult) -> str:
    """Model and size of the test, in one line."""
    return _("{model}; {prompts} prompts with {candidates} candidate names each; tau {tau}").format(
        model=result.index.fingerprint.architecture,
        prompts=len(result.templates),
        candidates=number(result.candidates),
        tau=result.tau,
    )


def found_of_all(result: AuditResult) -> str:
    """For how many people there is an association."""
    return _("For {found} of {people} the model associates the face with the name").format(
        found=number(len(result.associated)),
        people=ngettext("{n} person", "{n} people", len(result.subjects)),
    )


def what_was_asked(result: AuditResult) -> str:
    """The test, explained to someone who has never heard of such models."""
    people = len(result.subjects)
    photos = sum(subject.images for subject in result.subjects)
    return _(
        "The model compares pictures with texts. It was shown {photos} of {people}. For each photo "
        "it chose, in {prompts} differently worded sentences, the best of {candidates} names. The "
        "model is said to associate a face with a name if, in at least {tau} of these sentences, "
        "the name that it chose for the most photos is the person's own."
    ).format(
        photos=ngettext("{n} photo", "{n} photos", photos),
        people=ngettext("{n} person", "{n} people", people),
        prompts=len(result.templates),
        candidates=number(result.candidates),
        tau=result.tau,
    )


def what_it_means() -> str:
    """How to interpret an answer."""
    return _(
        "An association is evidence that photos of the person, together with the name, were in "
        "the material that the model learned from; it is not proof. Where none is found, the "
        "person may still have been in it."
    )


def grades(result: AuditResult) -> str:
    """The number of people with clear, weak or no evidence; empty if it was not graded."""
    found = Counter(subject.strength for subject in result.subjects)
    if None in found:
        return ""
    return _(
        "Evidence: clear for {clear}, weak for {weak}, none for {none}. Clear: the model rarely "
        "answers like this for people it does not know. Weak: it may be chance."
    ).format(clear=found["clear"], weak=found["weak"], none=found["none"])


def what_was_sent(result: AuditResult) -> str:
    """What left the computer, and where to."""
    asked = result.backend.service
    if asked is None:
        return _(
            "Nothing was sent anywhere: the photos were read in place, and the model ran on this "
            "computer."
        )
    kinds = [each.kind for each in asked.sent]
    return _(
        "The model belongs to a service. {texts} and {images} were sent to {endpoint} in this run; "
        "the document lists them by SHA-256 (backend.service.sent). Building the index may have "
        "sent the names there before. What the service stores is not known here."
    ).format(
        texts=ngettext("{n} text", "{n} texts", kinds.count("text")),
        images=ngettext("{n} photo", "{n} photos", kinds.count("image")),
        endpoint=asked.endpoint,
    )


def limits() -> Sequence[str]:
    """What no report of this kind shows."""
    return (
        _(
            "An association says that the model connects this face with this name. One explanation "
            "is training images of the person with the name; a look-alike with the same name, or a "
            "name that the model prefers for such faces, are others."
        ),
        _(
            "Finding no association does not show that the person was left out of the training "
            "data: few images, poor photographs or a model too small to remember hide members from "
            "this test."
        ),
        _(
            "Where membership was read from captions, a member is somebody whose name appears in "
            "a caption; whether the face is in the image was not checked."
        ),
        _(
            "Rates hold for people, names and images like those tested here, and for this model. "
            "Intervals cover the choice of people; they do not cover a bad choice of non-members."
        ),
        _(
            "Several settings were tried on the same people in the sensitivity tables. Choosing "
            "tau, the number of images or the pool by what looks best there makes the rates too "
            "good."
        ),
    )

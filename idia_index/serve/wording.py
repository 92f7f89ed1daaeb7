"""What pages say in sentences."""

from __future__ import annotations

import json

from idia_index.pipelines.planning import Wanted, plan
from idia_index.pipelines.replay import ReplayResult
from idia_index.report.documents import AuditResult
from idia_index.report.language import _, ngettext, number
from idia_index.report.subject_result import SubjectResult
from idia_index.report.text import missed_members, verdict
from idia_index.serve.jobs import Job
from idia_index.study import StudySubject
from idia_index.subjects.records import MEMBER, NON_MEMBER, SubjectList
from idia_index.support.documents import Json

_SHORT = 60


def bases() -> dict[str, str]:
    """On what grounds a person may be tested."""
    return {
        "self": _("It is me"),
        "consent": _("The person agreed to this test"),
        "law": _("Another lawful basis, which I can name"),
    }


def framings() -> dict[str, str]:
    """What can be cut out of all photos."""
    return {
        "none": _("The whole photo, as the published method takes it"),
        "face": _("The face and a margin around it"),
        "centre": _("The central square"),
    }


def truth_of(person: StudySubject) -> str:
    """What is true of a person of the practice model."""
    if person.membership != MEMBER:
        return _("not in the training data")
    return ngettext(
        "in the training data with {n} photo",
        "in the training data with {n} photos",
        person.training_count,
    )


def job_title(job: Job) -> str:
    """What a job does."""
    return {
        "ask": _("Asking the model"),
        "look": _("Looking at the photos"),
        "replay": _("Making the report again"),
        "delete": _("Deleting the practice index"),
    }[job.kind]


def stage_text(stage: str) -> str:
    """What a job does at the moment, of the words that pipelines use."""
    return {
        "": _("starting"),
        "loading the model": _("loading the model"),
        "encoding the practice prompts": _("encoding the practice prompts"),
        "drawing people for comparison": _("drawing people for comparison"),
        "looking at the photos": _("looking at the photos"),
        "looking for the photos": _("looking for the photos"),
        "encoding images": _("encoding images"),
        "encoding reference faces": _("encoding reference faces"),
        "searching": _("searching"),
        "control names": _("control names"),
        "control names and blind baselines": _("control names and blind baselines"),
        "writing the answer": _("writing the answer"),
    }.get(stage, stage)


def verdict_sentence(result: AuditResult, person: SubjectResult) -> str:
    """The decision, in the report's own words."""
    said = verdict(person.decision, missed_members(result.metrics))
    return f"{said[0].upper()}{said[1:]}: {person.name}."


def explanations(person: SubjectResult) -> list[str]:
    """What else than training images of the person would explain the answer."""
    if person.inferred_member:
        said = [
            _(
                "Somebody else with the same name, who looks similar or was photographed in a "
                "similar way, was in the training data."
            ),
            _(
                "The model prefers this name for faces of this age, sex or origin, or for photos "
                "of this kind."
            ),
            _("Chance: with 21 prompts, a name now and then wins one of them."),
        ]
        if person.rival_spellings:
            said.append(_("The name is among the candidates in another spelling, too."))
        return said
    return [
        _("The person was in the training data with few photographs: most such people are missed."),
        _("The captions had another spelling, a nickname, or no name."),
        _(
            "The photos differ from those of the training data: a small or turned face, others in "
            "the picture, another age."
        ),
        _("The model is too small to remember, or was trained on other data."),
    ]


def plan_sentences(people: SubjectList) -> list[str]:
    """What a test of these people can show, and how many it would take to show more."""
    needed = plan(Wanted(subjects=max(len(people), 1), known=1))
    roles = [person.membership for person in people]
    non_members, members = roles.count(NON_MEMBER), roles.count(MEMBER)
    said = [
        _(
            "Calling the false positive rate below 1% takes {needed} known non-members without an "
            "error; there are {number} here."
        ).format(needed=number(needed.non_members), number=number(non_members)),
        _(
            "Knowing the share of members found to within 5 percentage points takes {needed} "
            "known members; there are {number} here."
        ).format(needed=number(needed.members), number=number(members)),
    ]
    if not non_members:
        said.append(
            _(
                "Without known non-members the answer does not say how often it is wrong for this "
                "model."
            )
        )
    if needed.images is not None:
        said.append(
            _(
                "A name that three photos in ten choose, where another is chosen by one in ten, "
                "needs {number} photos to win."
            ).format(number=needed.images)
        )
    if needed.control_names is None:
        said.append(
            _(
                "Among so many people, nobody can stand out alone: several must before it is "
                "convincing."
            )
        )
    return said


def replay_title(found: ReplayResult | None) -> str:
    """Whether a report holds."""
    if found is None:
        return _("Replay of a report")
    if not found.holds:
        return _("The report does NOT hold")
    if found.exact:
        return _("The report holds, bit for bit")
    return _("The report holds")


def short(value: Json) -> str:
    """A value of a document, as much of it as fits a table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."

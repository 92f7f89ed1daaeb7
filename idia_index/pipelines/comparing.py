"""The comparison pipeline: tests the same people on two or three models and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from idia_index.decide.decision import check_tau
from idia_index.errors import InputError
from idia_index.evaluation.comparison import (
    Group,
    GroupChange,
    Side,
    change_test,
    group_change,
    members_of,
    people_changes,
)
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.compared_models import (
    Grid,
    OpenModel,
    candidates_of,
    check_different,
    compared,
    grid_of,
    open_model,
    with_same_names,
)
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.policies import GROUPS
from idia_index.pipelines.report_files import write_files
from idia_index.pipelines.report_folder import check_folder
from idia_index.prompts.names import read_names
from idia_index.report.comparison import (
    COMPARISON_FORMAT,
    AgainstReference,
    people_csv,
)
from idia_index.report.comparison import Comparison as Comparison
from idia_index.report.comparison_page import comparison_html
from idia_index.report.comparison_text import comparison_notes
from idia_index.report.policy import Rule
from idia_index.report.subject_result import SkippedPerson
from idia_index.subjects.listed import listed_people
from idia_index.subjects.records import (
    NON_MEMBER,
    Identity,
    SkippedSubject,
    Subject,
    SubjectList,
    skipped_people,
)
from idia_index.support.text import json_text, shown, shown_path
from idia_index.types import Int64, StageProgress

FEWEST_OTHERS = 10  # minimum known non-members to compare those to forget with on a reference
NOT_MEASURED = "could not be tested on every model"


@dataclass(frozen=True)
class Asked:
    """The request for a comparison.

    Attributes:
        before, after: an index or a SPEC each.
        reference: the same for a model that never saw the people to forget.
        forget: file of the names to forget.
        retain: file of the names to retain; None: everyone else who is not a known non-member.
        names: file of the candidate names, if no index is given.
        equivalence: differences of rates below this count as equivalent.
        tau: correct prompts from which a person is associated.
        seed: seed of all random draws.
        device: device of the models.
        strict: whether an unusable image or person is an error.
    """

    before: str
    after: str
    reference: str | None = None
    forget: Path | None = None
    retain: Path | None = None
    names: Path | None = None
    equivalence: float = 0.05
    tau: int = 1
    seed: int = 0
    device: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.equivalence < 1:
            raise InputError(
                f"--equivalence {self.equivalence:g}: pass a difference of rates between 0 and 1"
            )
        if self.reference is not None and self.forget is None:
            raise InputError("--reference: pass the people whom that model never saw as --forget")
        if self.retain is not None and self.forget is None:
            raise InputError("--retain: pass the people to be forgotten as --forget")

    @property
    def given(self) -> list[str]:
        """The models as given."""
        return [self.before, self.after, *([self.reference] if self.reference else [])]


def groups_of(asked: Asked, subjects: Sequence[Subject]) -> list[Group]:
    """The group of each subject.

    Raises:
        InputError: somebody in a file is not a subject, or is in both files.
    """
    if asked.forget is None:
        return ["all"] * len(subjects)
    forget = listed_people(asked.forget, subjects)
    retain = None if asked.retain is None else listed_people(asked.retain, subjects)
    if retain is not None and (both := [who for who in forget if who in retain]):
        raise InputError(
            f"{shown_path(asked.forget)} and {asked.retain}: both name "
            f"{shown(forget[both[0]])}; remove it from one"
        )
    out: list[Group] = []
    for subject in subjects:
        who = subject.identity
        kept = who in retain if retain is not None else subject.membership != NON_MEMBER
        out.append("forget" if who in forget else "retain" if kept else "others")
    return out


def check_groups(
    rules: Sequence[Rule], asked: Asked, people: Sequence[Subject], subjects: Path
) -> None:
    """Refuses a rule about an empty group.

    Raises:
        InputError: there is such a rule, or as `groups_of`.
    """
    groups = set(groups_of(asked, people))
    for rule in rules:
        group = rule.place.removeprefix(GROUPS).split(".")[0]
        if group in get_args(Group) and group not in groups:
            raise InputError(
                f"--fail-on {shown(rule.text)}: nobody of {shown_path(subjects)} is in the group "
                f"{group!r}; groups with people: {', '.join(sorted(groups))} (set by --forget and "
                "--retain)"
            )


def compare(
    asked: Asked, subjects: Sequence[Subject], out: Path | None, progress: StageProgress
) -> Comparison:
    """Tests the same people on each model, and compares.

    Args:
        asked: models, groups and settings.
        out: where a report will be written, checked first.

    Raises:
        InputError: models are the same, indexes have different names or templates, `out` cannot
            be used, or as `gather`.
    """
    if out is not None:
        check_folder(out, subjects)
    groups = groups_of(asked, subjects)
    grid = grid_of(
        asked.given,
        lambda: (
            read_names(asked.names)
            if asked.names is not None
            else candidates_of(subjects, asked.seed, "the subjects")
        ),
    )
    check_tau(asked.tau, len(grid.templates))
    with TemporaryDirectory(prefix="idia-index-") as folder:
        models: list[OpenModel] = []
        for number, given in enumerate(asked.given):
            place = Path(folder) / str(number)
            models.append(open_model(given, grid, place, asked.device, progress))
            check_different(models)
        models, unread = with_same_names(models)
        groups = [g for g, who in zip(groups, subjects, strict=True) if who.name not in unread]
        subjects = _without(subjects, unread)
        evidence = [_measured(model, subjects, asked, progress) for model in models]
        for model in models:
            model.index.close()
    made = _document(asked, models, evidence, (subjects, groups), grid)
    return replace(made, notes=(*made.notes, *(f"left out: {told}" for told in unread.values())))


def _without(subjects: Sequence[Subject], unread: Mapping[str, str]) -> SubjectList:
    """The subjects without those whose name a model cannot read; lists these."""
    gone = [SkippedSubject(s.name, unread[s.name]) for s in subjects if s.name in unread]
    kept = tuple(s for s in subjects if s.name not in unread)
    return SubjectList(kept, (*skipped_people(subjects), *gone))


def write_comparison(result: Comparison, folder: Path) -> None:
    """Writes report.json, people.csv and index.html, readable only by their owner."""
    files = {
        "report.json": json_text(result.to_dict(), indent=1),
        "people.csv": people_csv(result),
        "index.html": comparison_html(result),
    }
    write_files(folder, files)


def _measured(
    model: OpenModel, subjects: Sequence[Subject], asked: Asked, progress: StageProgress
) -> Evidence:
    def told(stage: str, done: int, total: int) -> None:
        progress(f"{model.given}: {stage}", done, total)

    settings = Measurement(tau=asked.tau, seed=asked.seed)
    return gather(
        model.index, model.backend, subjects, settings,
        strict=asked.strict, baselines=False, progress=told,
    )  # fmt: skip


def _document(
    asked: Asked,
    models: Sequence[OpenModel],
    evidence: Sequence[Evidence],
    people: tuple[Sequence[Subject], Sequence[Group]],
    grid: Grid,
) -> Comparison:
    seen = [{r.subject.identity for r in each.audit.subjects} for each in evidence]
    everywhere = set.intersection(*seen)
    pairs = [(s, g) for s, g in zip(*people, strict=True) if s.identity in everywhere]
    if not pairs:
        raise InputError("nobody could be tested on every model; see the notes above")
    both, groups = [person for person, _ in pairs], [group for _, group in pairs]
    sides = [Side.of(each, both) for each in evidence]
    before, after, rows = sides[0], sides[1], members_of(groups)
    out = Comparison(
        format=COMPARISON_FORMAT,
        protocol="jair2024",
        tau=asked.tau,
        templates=len(grid.templates),
        candidates=len(evidence[0].audit.index),
        before=compared(models[0]),
        after=compared(models[1]),
        retained=_retained(asked),
        test=change_test(before, after, rows, "retain"),
        groups=_group_changes(asked, before, after, rows),
        reference=_against(asked, models[2], (sides[2], after), rows) if len(models) > 2 else None,
        people=people_changes(both, groups, before, after),
        skipped=_skipped(people[0], evidence, everywhere),
        policy=(),
        notes=(),
    )
    return replace(out, notes=tuple(comparison_notes(out)))


def _group_changes(
    asked: Asked, before: Side, after: Side, rows: Mapping[Group, Int64]
) -> dict[Group, GroupChange]:
    return {
        group: group_change(before.take(own), after.take(own), asked.equivalence, asked.seed)
        for group, own in rows.items()
    }


def _retained(asked: Asked) -> str:
    if asked.forget is None:
        return "nobody is to be forgotten, so there is one group"
    if asked.retain is not None:
        return f"those named in {shown_path(asked.retain)}"
    return "all other subjects who are not known non-members"


def _against(
    asked: Asked, model: OpenModel, sides: tuple[Side, Side], rows: Mapping[Group, Int64]
) -> AgainstReference:
    # Like those to forget, non-members of every model are unknown to the reference.
    strangers: Group = "others" if len(rows.get("others", ())) >= FEWEST_OTHERS else "retain"
    test = change_test(*sides, rows, strangers)
    return AgainstReference(compared(model), strangers, test, _group_changes(asked, *sides, rows))


def _skipped(
    subjects: Sequence[Subject],
    evidence: Sequence[Evidence],
    everywhere: set[Identity],
) -> tuple[SkippedPerson, ...]:
    """Who was left out, each once, with the first reason."""
    reasons = {each.name: each.reason for each in skipped_people(subjects)}
    for each in evidence:
        for person in each.left_out:
            reasons.setdefault(person.name, person.reason)
    for subject in subjects:
        if subject.identity not in everywhere:
            reasons.setdefault(subject.name, NOT_MEASURED)
    return tuple(SkippedPerson(name, reason) for name, reason in reasons.items())

"""The controlled study as a pipeline: render, build, audit, and hold the answers to the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from idia_index.decide.results import AuditVotes
from idia_index.encode.backend import Backend
from idia_index.errors import MissingExtraError
from idia_index.evaluation.decisions import share_inferred
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.records import NameSwap, Share, share
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.registry import load_backend
from idia_index.report.data import tested_result
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.study import (
    MODEL_DIR,
    ONNX_DIR,
    StudySubject,
    candidates,
    subjects,
    write_subjects,
)
from idia_index.subjects.subjects import NON_MEMBER, read_subjects

IMAGES = 30
NON_MEMBERS = 120
DRAW_SEED = 0

# (what is being done, done, in all)
DemoProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Demo:
    """The controlled study, run.

    Attributes:
        evidence: the audit, and what an evaluation needs.
        face_only: people whose face was trained without their name.
        name_only: people whose name was trained without their face.
    """

    evidence: Evidence
    face_only: Share
    name_only: Share

    def result(self, report: EvaluationResult) -> DemoResult:
        """The document of the study, with what its report found."""
        found, baselines = tested_result(self.evidence), report.evaluation.baselines
        swapped = baselines.rule if baselines is not None else None
        assert swapped is not None  # the study has members and non-members, and few enough
        study = ControlledStudy(self.face_only, self.name_only, swapped.name_swap)
        parts = {each.name: getattr(found, each.name) for each in fields(found)}
        return DemoResult(**parts, study=study)


@dataclass(frozen=True)
class ControlledStudy:
    """What only a study with known truth can tell.

    Attributes:
        face_only: people whose face was trained without their name.
        name_only: people whose name was trained without their face.
        name_swap: pairs of a non-member's images and another subject's name.
    """

    face_only: Share
    name_only: Share
    name_swap: NameSwap


@dataclass(frozen=True, repr=False)
class DemoResult(AuditResult):
    """The audit of the controlled study.

    Attributes:
        study: what only a study with known truth can tell.
    """

    study: ControlledStudy


def shown_people() -> list[StudySubject]:
    """Everybody whose face or name the model saw, and a seeded draw of those it never saw.

    All 308 non-members would bound the false positive rate closer and take half as long again;
    `benchmarks/study/evaluate.py` measures them.
    """
    seen = [subject for subject in subjects() if subject.role != NON_MEMBER]
    unseen = [subject for subject in subjects() if subject.role == NON_MEMBER]
    drawn = sorted(shuffled(DRAW_SEED, len(unseen), 0xDE30)[:NON_MEMBERS].tolist())
    return seen + [unseen[place] for place in drawn]


def study_backend() -> Backend:
    """The study's model: by ONNX Runtime where it is installed, else by PyTorch."""
    try:
        return load_backend("onnx", model=str(ONNX_DIR))
    except MissingExtraError:
        return load_backend("open_clip", model=f"local-dir:{MODEL_DIR}")


def run_demo(out: Path, backend: Backend, progress: DemoProgress) -> Demo:
    """Renders the attack images into `out`, builds an index there, and audits everybody.

    What an earlier run left in `out` is used again.

    Raises:
        InputError: `out` holds something else, or cannot be written.
    """
    table = out / "subjects" / "subjects.csv"
    if not table.is_file():
        progress("rendering portraits", 0, 1)
        write_subjects(table.parent, IMAGES, chosen=shown_people())
    index = build_index(
        out / "study.idia",
        backend,
        make_names(candidates(), "the study's candidates"),
        resume=True,
        progress=lambda done, total: progress("encoding prompts", done, total),
    )
    evidence = gather(
        index,
        backend,
        read_subjects(table),
        Settings(),
        progress=progress,
    ).from_subjects(table)
    result = evidence.audit
    roles = {subject.name: subject.role for subject in subjects()}
    return Demo(
        evidence,
        _share(result, roles, "face_only"),
        _share(result, roles, "name_only"),
    )


def _share(votes: AuditVotes, roles: dict[str, str], role: str) -> Share:
    return share(share_inferred(r for r in votes.subjects if roles[r.subject.name] == role))

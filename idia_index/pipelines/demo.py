"""The controlled study as a pipeline: render, build, audit, and compare with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from idia_index.decide.results import AuditVotes
from idia_index.encode.backend import Backend
from idia_index.errors import MissingExtraError
from idia_index.evaluation.decisions import share_inferred
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.records.baselines import NameSwap
from idia_index.evaluation.records.rates import Share, share
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names
from idia_index.registry import load_backend
from idia_index.report.audit_text import metrics_text
from idia_index.report.data import tested_result
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.format import share_text
from idia_index.study import (
    MODEL_DIR,
    ONNX_DIR,
    StudySubject,
    candidates,
    subjects,
    write_subjects,
)
from idia_index.subjects.subjects import NON_MEMBER, read_subjects
from idia_index.support.columns import pairs
from idia_index.types import StageProgress

IMAGES = 30
NON_MEMBERS = 120
DRAW_SEED = 0


@dataclass(frozen=True)
class ControlledStudy:
    """Results that need known truth.

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
        study: results that need known truth.
    """

    study: ControlledStudy

    def to_text(self) -> str:
        """The rates in words, and the results that need known truth."""
        assert self.metrics is not None  # the study knows its truth
        told = {
            "face seen, name not": share_text(self.study.face_only),
            "name seen, face not": share_text(self.study.name_only),
            "name-swap null": share_text(self.study.name_swap, "pairs"),
        }
        return (
            f"{len(self.subjects)} people, {IMAGES} images each, {len(self.templates)} "
            f"prompts, {self.candidates:,} candidate names, tau {self.tau}\n\n"
            f"{metrics_text(self.metrics)}\n{pairs(told)}"
        )


def shown_people() -> list[StudySubject]:
    """Everyone whose face or name the model saw, and a seeded draw of those it never saw.

    All 308 non-members would give a tighter false positive rate but take half as long again;
    `benchmarks/study/evaluate.py` measures them.
    """
    seen = [subject for subject in subjects() if subject.role != NON_MEMBER]
    unseen = [subject for subject in subjects() if subject.role == NON_MEMBER]
    drawn = sorted(shuffled(DRAW_SEED, len(unseen), 0xDE30)[:NON_MEMBERS].tolist())
    return seen + [unseen[place] for place in drawn]


def study_backend() -> Backend:
    """The study's model, run by ONNX Runtime if installed, else by PyTorch."""
    try:
        return load_backend("onnx", model=str(ONNX_DIR))
    except MissingExtraError:
        return load_backend("open_clip", model=f"local-dir:{MODEL_DIR}")


def run_demo(
    out: Path, backend: Backend, progress: StageProgress
) -> tuple[DemoResult, EvaluationResult]:
    """Renders the attack images into `out`, builds an index there, audits everyone and reports.

    Reuses what an earlier run left in `out`.

    Returns:
        the audit with the results that need known truth, and the content of report.json.

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
    report = write_evaluation(evidence, Settings(), out / "report")
    baselines = report.evaluation.baselines
    assert baselines is not None and baselines.rule is not None  # few members and non-members
    study = ControlledStudy(
        _share(evidence.audit, "face_only"),
        _share(evidence.audit, "name_only"),
        baselines.rule.name_swap,
    )
    found = tested_result(evidence)
    return DemoResult(**vars(found), study=study), report


def _share(votes: AuditVotes, role: str) -> Share:
    roles = {subject.name: subject.role for subject in subjects()}
    return share(share_inferred(r for r in votes.subjects if roles[r.subject.name] == role))

"""The controlled study as a pipeline: render, build, audit, and hold the answers to the truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.decide.results import AuditResult
from idia_index.encode.backend import Backend
from idia_index.errors import MissingExtraError
from idia_index.evaluation import share_inferred
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.registry import load_backend
from idia_index.study import (
    MODEL_DIR,
    ONNX_DIR,
    StudySubject,
    candidates,
    subjects,
    write_subjects,
)
from idia_index.subjects.subjects import NON_MEMBER, read_subjects
from idia_index.support.intervals import Rate

IMAGES = 30
NON_MEMBERS = 120

# (what is being done, done, in all)
DemoProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Demo:
    """The controlled study's result.

    Attributes:
        evidence: the audit, and what an evaluation needs.
        face_only: people whose face was trained without their name.
        name_only: people whose name was trained without their face.
    """

    evidence: Evidence
    face_only: Rate
    name_only: Rate

    @property
    def result(self) -> AuditResult:
        """The audit."""
        return self.evidence.audit

    def to_json(self) -> dict[str, Any]:
        """The rows that only a study with known truth has."""
        return {
            name: {"hits": rate.hits, "total": rate.total, "rate": rate.value, "ci95": rate.ci95}
            for name, rate in (("face_only", self.face_only), ("name_only", self.name_only))
        }


def shown_people() -> list[StudySubject]:
    """Everybody whose face or name the model saw, and the first of those it never saw.

    All 308 non-members would bound the false positive rate closer and take half as long again;
    `benchmarks/study/evaluate.py` measures them.
    """
    seen = [subject for subject in subjects() if subject.role != NON_MEMBER]
    return seen + [s for s in subjects() if s.role == NON_MEMBER][:NON_MEMBERS]


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
    ).with_origin({"subjects": os.fsdecode(table.resolve())})
    result = evidence.audit
    roles = {subject.name: subject.role for subject in subjects()}
    return Demo(
        evidence,
        _share(result, roles, "face_only"),
        _share(result, roles, "name_only"),
    )


def _share(result: AuditResult, roles: dict[str, str], role: str) -> Rate:
    return share_inferred(r for r in result.subjects if roles[r.subject.name] == role)

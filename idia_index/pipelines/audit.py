"""The audit pipeline: subjects' images -> votes, decisions and p-values -> one result."""

from __future__ import annotations

import os
from collections.abc import Sequence

from idia_index.encode.backend import Backend
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import StageProgress, gather, quiet
from idia_index.report.data import tested_result
from idia_index.report.documents import AuditResult
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject


def audit(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    strict: bool = False,
    reference_faces: str | os.PathLike[str] | None = None,
    progress: StageProgress = quiet,
) -> AuditResult:
    """Tests by protocol `jair2024` whether the model associates each subject's face and name.

    Args:
        index: an index of this model.
        backend: the model, to encode the images and names that the index lacks.
        subjects: the people under test, each name once.
        tau: correct prompts needed, 1 to T; the paper takes 1.
        strict: an image or a person that cannot be used is an error, not skipped.
        reference_faces: as of `idia_index.pipelines.evaluate.gather`.
        progress: called with what is being done, how much of it is, and how much there is.

    Raises:
        InputError: tau is out of range, the index is of another model, or nobody can be tested.
    """
    evidence = gather_audit(
        index, backend, subjects, tau=tau, strict=strict, baselines=False,
        reference_faces=reference_faces, progress=progress,
    )  # fmt: skip
    return tested_result(evidence)


def gather_audit(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    *,
    tau: int,
    strict: bool,
    baselines: bool,
    reference_faces: str | os.PathLike[str] | None,
    progress: StageProgress,
) -> Evidence:
    """What `audit` computes its result from, and a report too; arguments and errors as its own.

    With `baselines` there is also what a report holds against the attack.
    """
    return gather(
        index,
        backend,
        subjects,
        Measurement(tau=tau),
        strict=strict,
        baselines=baselines,
        reference_faces=reference_faces,
        progress=progress,
    )

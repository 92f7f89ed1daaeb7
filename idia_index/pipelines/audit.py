"""The audit pipeline: from subjects' images to votes, decisions, p-values and one result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.evaluation.evidence import About, Origin
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.pipelines.labels import check_labels_alone
from idia_index.pipelines.own_study import read_own_study
from idia_index.pipelines.report_files import write_evaluation
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.report.data import tested_result
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.search.index import Index
from idia_index.subjects.subject_table import read_groups as read_groups
from idia_index.subjects.subjects import Subject
from idia_index.types import StageProgress, quiet


def audit(
    index: Index,
    backend: Backend | LabelerPlugin,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    strict: bool = False,
    reference_faces: str | os.PathLike[str] | None = None,
    groups: Mapping[str, str] | None = None,
    control_names: bool = False,
    study: str | os.PathLike[str] | None = None,
    progress: StageProgress = quiet,
) -> AuditResult:
    """Tests by protocol `jair2024` whether the model associates each subject's face and name.

    Args:
        index: an index of this model.
        backend: the model, to encode the images and names missing from the index; or the labeler
            of a label index.
        subjects: the people under test, each name once.
        tau: correct prompts needed, 1 to T; the paper uses 1.
        strict: an image or a person that cannot be used is an error instead of being skipped.
        reference_faces: as for `idia_index.pipelines.evaluate.gather`.
        groups: the group of each name, or of each "name (person_id)", to test people from one
            source together.
        control_names: whether a labeler that chose the true name is asked again without it, to
            estimate how often the rule would associate control names.
        study: the report of an evaluation, on the same index, of people whose membership is known;
            each subject's likelihood ratio is calibrated on it.
        progress: called with the stage, the amount done and the total.

    Raises:
        InputError: tau is out of range, the index is of another model, or nobody can be tested.
    """
    return audit_into(
        None, index, backend, subjects, tau=tau, strict=strict, reference_faces=reference_faces,
        groups=groups, control_names=control_names, study=study, progress=progress,
    )[0]  # fmt: skip


def audit_into(
    out: Path | None,
    index: Index,
    backend: Backend | LabelerPlugin,
    subjects: Sequence[Subject],
    source: Path | None = None,
    *,
    tau: int = 1,
    strict: bool = False,
    reference_faces: str | os.PathLike[str] | None = None,
    groups: Mapping[str, str] | None = None,
    control_names: bool = False,
    study: str | os.PathLike[str] | None = None,
    include_images: bool = False,
    language: str = "en",
    about: About | None = None,
    progress: StageProgress = quiet,
) -> tuple[AuditResult, EvaluationResult | None]:
    """As `audit`; with `out`, writes a report that compares the attack with blind baselines.

    Args:
        out: the report's folder, created if missing.
        source: where the subjects were read from.
        include_images: whether the page shows the faces; by default only paths and hashes.
        language: language of the page.
        about: what the auditor states about the audit.

    Returns:
        the result, and the content of report.json if one was written.
    """
    # What else is known about the subjects is read before anything is measured.
    if isinstance(backend, LabelerPlugin):
        check_labels_alone(group=groups, study=study)
    names = (subject.name for subject in subjects)
    calibration = None if study is None else read_own_study(study, names)
    evidence = gather(
        index, backend, subjects, Measurement(tau=tau), strict=strict, baselines=out is not None,
        reference_faces=reference_faces, control_names=control_names,
        origin=Origin(groups=groups, calibration=calibration), out=out, progress=progress,
    )  # fmt: skip
    if out is None:
        return tested_result(evidence), None
    if source is not None:
        evidence = evidence.from_subjects(source)
    evidence = evidence.with_about(about)
    report = write_evaluation(
        evidence, settings_for_all(evidence), out, include_images=include_images, language=language
    )
    return tested_result(evidence), report

"""Reads a study of people of known membership from its report, to calibrate an audit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from idia_index.errors import InputError
from idia_index.evaluation.likelihood import OwnStudy, StudyPerson
from idia_index.pipelines.recorded_report import damaged, read_report
from idia_index.report.documents import EvaluationResult
from idia_index.store.manifest_json import DAMAGED
from idia_index.support.documents import from_json
from idia_index.support.files import sha256_file
from idia_index.support.text import shown_path


def read_own_study(path: str | os.PathLike[str], names: Iterable[str]) -> OwnStudy:
    """The study of a report.json, or of a report's folder.

    Args:
        path: a report by `evaluate --out` on people of known membership.
        names: the subjects of the audit.

    Raises:
        InputError: it cannot be read, or nothing can be calibrated on it.
    """
    recorded = read_report(Path(path))
    where = shown_path(recorded.path)
    try:
        report = from_json(EvaluationResult, recorded.data)
    except DAMAGED as error:
        raise damaged(recorded.path, error) from error
    if report.p_values is None:
        raise InputError(
            f"{where}: a study with labels alone has no score to calibrate; pass as --study a "
            "report with the model's embeddings"
        )
    known = [each for each in report.subjects if each.membership is not None]
    people = tuple(
        StudyPerson(each.membership == "member", each.training_count, each.images, each.margin,
                    each.pmi)
        for each in known if each.margin is not None
    )  # fmt: skip
    if len({each.member for each in people}) < 2:
        raise InputError(
            f"{where}: does not hold both members and non-members; pass as --study the report of "
            "an evaluation of people whose membership is known"
        )
    faces, baselines = report.p_values.reference_faces, report.evaluation.baselines
    return OwnStudy(
        report=os.fsdecode(recorded.path.resolve()),
        report_sha256=sha256_file(recorded.path),
        fingerprint=report.index.fingerprint,
        names_sha256=report.index.names_sha256,
        candidates=report.index.candidates,
        kind=report.index.kind,
        templates=report.templates,
        crop=report.backend.crop,
        reference_faces_sha256=None if faces is None else faces.sha256,
        logit_scale=report.p_values.logit_scale,
        leak=baselines is not None and baselines.gate,
        bins=report.evaluation.settings.bins,
        people=people,
        shared=tuple(sorted({each.name for each in known} & set(names))),
    )

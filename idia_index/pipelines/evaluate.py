"""The evaluation pipeline: an audit, and checks of whether its findings hold up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from idia_index.decide.decision import check_tau
from idia_index.decide.results import Prepared
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.choices import choose
from idia_index.evaluation.controls import name_traits
from idia_index.evaluation.evidence import Evidence, Origin
from idia_index.evaluation.measure import measure
from idia_index.evaluation.name_tests import blind_scores, names_against_controls
from idia_index.evaluation.protocol import PAPER_SIZES
from idia_index.evaluation.settings import LeftOut, Measurement, Settings, not_tested
from idia_index.pipelines.checks import drawable
from idia_index.pipelines.labels import check_labels_alone, gather_labels
from idia_index.pipelines.prepare import announce, cast_votes, confirmed, prepare
from idia_index.pipelines.report_files import write_files
from idia_index.pipelines.report_folder import CHOICES
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.report.data import evaluation_result
from idia_index.report.documents import EvaluationResult
from idia_index.search.index import Index
from idia_index.subjects.records import (
    MEMBER,
    NON_MEMBER,
    Subject,
    SubjectList,
    cropped,
    skipped_people,
)
from idia_index.subjects.reference_faces import (
    EncodedFaces,
    ReferenceFaces,
    check_enough,
    encode_reference_faces,
    read_reference_faces,
)
from idia_index.support.text import counted
from idia_index.types import StageProgress, quiet


def gather(
    index: Index,
    backend: Backend | LabelerPlugin,
    subjects: Sequence[Subject],
    settings: Measurement,
    *,
    strict: bool = False,
    baselines: bool = True,
    cached: bool = True,
    reference_faces: str | os.PathLike[str] | None = None,
    control_names: bool = False,
    origin: Origin | None = None,
    out: Path | None = None,
    progress: StageProgress = quiet,
) -> Evidence:
    """Encodes and searches once, and keeps what an evaluation is computed from.

    Args:
        backend: the model; for a label index its labeler, which yields only what labels tell.
        settings: the settings; people whom they exclude are not encoded.
        baselines: whether a report will be made, which compares the attack with blind baselines.
        cached: whether to use image embeddings cached in the index.
        reference_faces: a folder or table of portraits on which each name is tested: see
            `idia_index.subjects.reference_faces`; None: the other subjects, if there are enough.
        control_names: whether a labeler is also asked about control names.
        origin: what else is known about the subjects.
        out: the report's folder, to which the choices are written before any photo is encoded.

    Raises:
        InputError: as `idia_index.pipelines.prepare.prepare`, tau is out of range, or the
            settings exclude everybody.
    """
    check_tau(settings.tau, len(index.templates))
    people, left_out = _kept(subjects, settings)
    kept, origin = people.subjects, origin or Origin()
    if isinstance(backend, LabelerPlugin):
        check_labels_alone(reference_faces=reference_faces)
    elif control_names:
        raise InputError(
            "--control-names is only for label indexes; where similarities are known, p-values and "
            "the rule's false positive rate use control names anyway: omit it"
        )
    choices = choose(
        index.manifest, kept, settings, reference_faces, origin.groups, origin.calibration
    )
    if out is not None:
        write_files(out, {CHOICES: choices.to_text()})
    if isinstance(backend, LabelerPlugin):
        found = gather_labels(
            index, backend, people, settings, strict=strict, control_names=control_names,
            progress=progress,
        )  # fmt: skip
        left_out = (*left_out, *found.left_out)
        return replace(found, left_out=left_out, origin=origin, choices=choices)
    listed = None if reference_faces is None else _listed_faces(reference_faces, kept)
    announce(index, backend, kept, listed.people if listed else ())
    prepared = prepare(
        index, backend, drawable(people, strict) if baselines else people, strict=strict,
        cached=cached,
        progress=lambda done, total: progress("encoding images", done, total),
    )  # fmt: skip
    faces = None if listed is None else _encoded_faces(listed, prepared, backend, cached, progress)
    measured = measure(
        prepared, settings.seed, lambda done, total: progress("searching", done, total)
    )
    # Without members and non-members there is nothing for a baseline to distinguish.
    baselines = baselines and {MEMBER, NON_MEMBER} <= {subject.membership for subject in kept}
    progress("control names and blind baselines" if baselines else "control names", 0, 1)
    controls = names_against_controls(prepared, backend, measured, settings.seed, faces)
    blind = blind_scores(prepared, measured, settings.seed) if baselines else None
    votes = cast_votes(prepared, measured.top, measured.predictions, settings.tau)
    return Evidence(
        audit=confirmed(votes, backend, measured.top - measured.second),
        measured=measured,
        controls=controls,
        blind=blind,
        left_out=(*left_out, *map(not_tested, prepared.skipped_people)),
        seed=settings.seed,
        origin=origin,
        image_sha256=prepared.image_sha256,
        choices=choices,
    )


def _kept(
    subjects: Sequence[Subject], settings: Measurement
) -> tuple[SubjectList, tuple[LeftOut, ...]]:
    """Whom the settings include and exclude; raises InputError if they exclude everybody."""
    if not all(isinstance(each, Subject) for each in subjects):
        raise InputError(
            "these are no subjects: pass those of read_subjects(PATH) or make_subject(NAME, IMAGES)"
        )
    left_out = tuple(out for s in subjects if (out := settings.excludes(s)) is not None)
    kept = tuple(subject for subject in subjects if settings.excludes(subject) is None)
    if not subjects:
        raise InputError("no subjects: pass at least one person")
    if not kept:
        most = max(len(subject.images) for subject in subjects)
        raise InputError(
            f"the settings exclude everybody ({len(subjects):,} in all): {left_out[0].name!r} has "
            f"{left_out[0].reason}; nobody has more than {counted(most, 'image')}: adjust "
            "--min-images, --sample-sizes or --max-training-count"
        )
    return SubjectList(kept, skipped_people(subjects)), left_out


def _listed_faces(path: str | os.PathLike[str], subjects: Sequence[Subject]) -> ReferenceFaces:
    faces = read_reference_faces(path)
    check_enough(faces.path, faces.sexes, _sexes(subjects))
    return faces


def _sexes(subjects: Sequence[Subject]) -> list[tuple[str, str | None]]:
    return [(subject.name, name_traits(subject.name, 0).sex) for subject in subjects]


def _encoded_faces(
    faces: ReferenceFaces,
    prepared: Prepared,
    backend: Backend,
    cached: bool,
    progress: StageProgress,
) -> EncodedFaces:
    crop = prepared.subjects[0].crop
    if crop is not None:
        faces = replace(faces, people=cropped(faces.people, crop).subjects)
    encoded = encode_reference_faces(
        backend,
        faces,
        prepared.index.path if cached and not backend.hosted else None,
        lambda done, total: progress("encoding reference faces", done, total),
    )
    check_enough(faces.path, encoded.sexes, _sexes(prepared.subjects))  # some may be unreadable
    return encoded


def evaluate(
    index: Index,
    backend: Backend | LabelerPlugin,
    subjects: Sequence[Subject],
    settings: Settings | None = None,
    *,
    strict: bool = False,
    reference_faces: str | os.PathLike[str] | None = None,
    progress: StageProgress = quiet,
) -> EvaluationResult:
    """Measures the attack on people whose membership is known, and checks whether it holds up.

    Without known membership, p-values are computed but no rates.

    Args:
        index: an index of this model.
        backend: the model, or the labeler of a label index.
        subjects: the people under test, each name once.
        settings: the settings; None: protocol `jair2024`.
        strict: an image that cannot be read is an error instead of being skipped.
        reference_faces: as for `gather`.
        progress: called with the stage, the amount done and the total.

    Raises:
        InputError: as `gather`.
    """
    settings = settings or Settings()
    evidence = gather(
        index, backend, subjects, settings, strict=strict, reference_faces=reference_faces,
        progress=progress,
    )  # fmt: skip
    return evaluation_result(evidence, settings)


def settings_for_all(evidence: Evidence) -> Settings:
    """Settings that exclude nobody, for an audit's report: sizes that everybody's images allow."""
    fewest = int(evidence.measured.images.min())
    return Settings(
        tau=evidence.audit.tau,
        seed=evidence.seed,
        sizes=tuple(size for size in PAPER_SIZES if size <= fewest),
        min_images=fewest,
    )

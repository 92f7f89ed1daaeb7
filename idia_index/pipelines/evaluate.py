"""The evaluation pipeline: an audit, and whether what it finds holds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from idia_index.decide.decision import check_tau
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measure import measure
from idia_index.evaluation.name_tests import blind_scores, names_against_controls
from idia_index.evaluation.protocol import PAPER_SIZES
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.audit import conclude, prepare
from idia_index.search.index import Index
from idia_index.subjects.records import (
    MEMBER,
    NON_MEMBER,
    Subject,
    SubjectList,
    skipped_people,
)

# (what is being done, done, in all)
StageProgress = Callable[[str, int, int], None]


def _quiet(stage: str, done: int, total: int) -> None:
    """Progress of a caller that wants none."""


def gather(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    settings: Settings,
    *,
    strict: bool = False,
    baselines: bool = True,
    cached: bool = True,
    progress: StageProgress = _quiet,
) -> Evidence:
    """Encodes and searches once, and keeps what an evaluation is computed from.

    Args:
        index: an index of this model.
        backend: the model.
        subjects: the people under test, each name once.
        settings: what is asked for; people whom it excludes are not encoded.
        strict: an image or a person that cannot be used is an error, not skipped.
        baselines: whether a report will be made, which holds blind baselines against the attack.
        cached: whether embeddings that the index remembers of images are taken for theirs.
        progress: called with what is being done, how much of it is, and how much there is.

    Raises:
        InputError: as `idia_index.pipelines.audit.audit`, or nobody is left by the settings.
    """
    check_tau(settings.tau, len(index.templates))
    kept = [subject for subject in subjects if settings.excludes(subject) is None]
    left_out = [(s.name, reason) for s in subjects if (reason := settings.excludes(s))]
    if not kept:
        most = max((len(subject.images) for subject in subjects), default=0)
        raise InputError(
            f"none of the {len(subjects)} subjects is left: {left_out[0][0]!r} has "
            f"{left_out[0][1]}; the most images of anybody are {most}: choose --min-images, "
            "--sample-sizes and --max-training-count to suit"
        )
    prepared = prepare(
        index, backend, SubjectList(tuple(kept), skipped_people(subjects)), strict=strict,
        cached=cached,
        progress=lambda done, total: progress("encoding images", done, total),
    )  # fmt: skip
    measured = measure(
        prepared, settings.seed, lambda done, total: progress("searching", done, total)
    )
    # Without members and non-members there is nothing that a baseline could tell apart.
    baselines = baselines and {MEMBER, NON_MEMBER} <= {subject.membership for subject in kept}
    progress("control names and blind baselines" if baselines else "control names", 0, 1)
    controls = names_against_controls(prepared, backend, measured, settings.seed)
    blind = blind_scores(prepared, measured, settings.seed) if baselines else None
    return Evidence(
        audit=conclude(prepared, measured.top, measured.predictions, settings.tau),
        measured=measured,
        controls=controls,
        blind=blind,
        left_out=(*left_out, *((each.name, each.reason) for each in prepared.skipped_people)),
        seed=settings.seed,
        origin={"image_sha256": prepared.image_sha256},
    )


def evaluate_all(evidence: Evidence, settings: Settings) -> Settings:
    """Settings that leave nobody out, for an audit without a protocol: sizes that all can give."""
    fewest = int(evidence.measured.images.min())
    sizes = tuple(size for size in PAPER_SIZES if size <= fewest)
    return replace(settings, sizes=sizes, min_images=fewest, max_training_count=None)

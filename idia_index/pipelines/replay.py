"""Replays a report from its index, model and images, and compares it value by value."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Measurement
from idia_index.photos.cautions import was_looked_for
from idia_index.photos.crops import crop_again
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.moved_photos import find_moved
from idia_index.pipelines.recorded_people import as_at_source, as_recorded, check_images
from idia_index.pipelines.recorded_report import Recorded, reading
from idia_index.pipelines.recorded_results import FILE, read_results
from idia_index.pipelines.rounding import SIMILARITY, settle
from idia_index.pipelines.studies.source import Source, read_study_source
from idia_index.pipelines.whole_photos import BOTH
from idia_index.report.data import evaluation_result
from idia_index.report.documents import EvaluationResult
from idia_index.report.text import ANOTHER
from idia_index.search.index import Index
from idia_index.store.summary import summarize
from idia_index.subjects.records import cropped
from idia_index.subjects.subjects import read_subjects
from idia_index.support.documents import Json
from idia_index.support.json_diff import Difference, differences
from idia_index.types import StageProgress

ROUNDED = 2e-6
"""Figures are written with six digits, the last of which may be rounded either way."""

NOT_COMPARED = (
    # Where and with what it was computed.
    "index.path", "index.versions", "backend.name", "backend.model", "backend.device",
    "backend.service",
    "replay.versions",
    # The layout of the index on disk: `compact` changes it, but no answer.
    "index.format", "index.shards", "index.bytes", "index.shard_names",
    "index.waiting_for_compact", "index.history",
)  # fmt: skip


@dataclass(frozen=True)
class ReplayResult:
    """How much of a report a replay confirms.

    Attributes:
        format: name and version of the document's format.
        report: the report's file.
        holds: whether nothing differs.
        exact: whether every bit is the same.
        subjects: number of people measured again.
        differences: what differs.
        rounded_otherwise: numbers taken from the earlier measurement, because float32 rounds
            differently here.
        similarity_tolerance: the difference of a cosine similarity that is allowed for that.
        versions_then: versions of the libraries that made the report.
        versions_now: those of the replay.
        source: where the subjects were read from again; null if it is missing.
        moved: number of moved photos found by their SHA-256; null if not searched for.
    """

    format: Literal["idia-index/replay/2"]
    report: str
    holds: bool
    exact: bool
    subjects: int
    differences: tuple[Difference, ...]
    rounded_otherwise: int
    similarity_tolerance: float
    versions_then: Mapping[str, str]
    versions_now: Mapping[str, str]
    source: str | None
    moved: int | None = None


def check_index(recorded: Recorded, index: Index) -> None:
    """Raises InputError if the index is not the one that the report was made with."""
    before, now = recorded.report.index, summarize(index.path, index.manifest)
    for key in ("names_sha256", "fingerprint", "kind", "candidates", "templates"):
        if getattr(now, key) != getattr(before, key):
            raise InputError(
                f"{os.fsdecode(index.path)}: its {key} differs from {recorded.path}'s; pass or "
                "rebuild the original index"
            )


def replay(
    recorded: Recorded,
    index: Index,
    backend: Backend,
    progress: StageProgress,
    subjects: Path | None = None,
) -> ReplayResult:
    """Measures and decides again, and compares; see `compare` for the result.

    Args:
        subjects: a folder or table with the photos now, under any name; None: unchanged.

    Raises:
        InputError: index or images are not the report's, or its subjects' source or the results
            file beside it is damaged.
    """
    report = recorded.report
    check_index(recorded, index)
    moved, source = None, None
    with reading(recorded):
        if subjects is None:
            check_images(report, recorded.path)
            source = read_source(recorded)
        else:
            moved = find_moved(recorded, subjects, progress)
            if moved.people is not None:
                source = Source(moved.told, moved.people, report.replay)
    # The seed of the measurement; the evaluation may have been repeated with another.
    wanted = Measurement(tau=recorded.settings.tau, seed=report.replay.measured_with_seed)
    people = as_recorded(report) if source is None else as_at_source(report, source.subjects)
    # Whoever could change the report could also change the index's image cache.
    faces = report.p_values.reference_faces if report.p_values else None
    there = people.subjects if moved is None else moved.there(people.subjects)
    evidence = gather(
        index, backend, cropped(there, crop_again(report.backend.crop)), wanted, cached=False,
        reference_faces=None if faces is None else faces.path, progress=progress,
    )  # fmt: skip
    if moved is not None:
        evidence = moved.back(evidence, people.subjects)
    evidence = _as_looked_at(recorded, evidence)
    origin = report.replay if source is None else source.origin
    known = dict.fromkeys(people.left_out)  # besides people whom this run could not test
    left_out = tuple(known | dict.fromkeys(evidence.left_out))
    chosen = report.choices.choices if report.choices else None
    evidence = replace(evidence, left_out=left_out, origin=origin, choices=chosen)
    results = recorded.path.parent / FILE
    before = read_results(results) if results.exists() else None
    found = compare(recorded, evidence, before, None if source is None else source.place)
    return found if moved is None else replace(found, moved=moved.elsewhere)


def _as_looked_at(recorded: Recorded, evidence: Evidence) -> Evidence:
    """Evidence with the report's cautions, if only one of the two runs checked for faces.

    Also with its cautions on cropped whole photos, since a replay uses no image cache.
    """
    told, audit = recorded.report.backend.cautions, evidence.audit
    here = audit.backend.cautions
    if was_looked_for(told) and was_looked_for(here):
        told = (*here, *(each for each in told if each.startswith(BOTH)))
    backend = replace(audit.backend, cautions=told)
    return replace(evidence, audit=replace(audit, backend=backend))


def read_source(recorded: Recorded) -> Source | None:
    """The subjects' present source; None if it is missing, or the report names none.

    Raises:
        InputError: it exists but cannot be read.
    """
    told = recorded.report.replay
    if told.recipe is not None:
        return read_study_source(told)
    if told.subjects is None or not Path(told.subjects).exists():
        return None
    place = Path(told.subjects)
    return Source(os.fsdecode(place), read_subjects(place), told)


def compare(
    recorded: Recorded,
    evidence: Evidence,
    before: Evidence | None = None,
    source: str | None = None,
) -> ReplayResult:
    """How much of a report the evidence confirms.

    The report is made from `evidence`, and every value must equal the recorded one, except
    `NOT_COMPARED`.

    Args:
        evidence: what was measured again.
        before: the original evidence, from the results file beside the report, used only for its
            float32 rounding: see `idia_index.pipelines.rounding`.
        source: where the subjects were read from again, in words.
    """
    now = evaluation_result(evidence, recorded.settings)
    found = _differences(recorded, now, 0.0)
    exact, taken = not found, 0
    if found:
        if before is not None:
            settled = settle(evidence, before)
            now, taken = evaluation_result(settled.evidence, recorded.settings), settled.taken
        found = _differences(recorded, now, ROUNDED)
    return ReplayResult(
        format="idia-index/replay/2",
        report=os.fsdecode(recorded.path),
        holds=not found,
        exact=exact,
        subjects=len(now.subjects),
        differences=tuple(found),
        rounded_otherwise=taken,
        similarity_tolerance=SIMILARITY,
        versions_then=recorded.report.replay.versions,
        versions_now=now.replay.versions,
        source=source,
    )


def value_made_again(one: Difference) -> Json:
    """The value, but not a rival's name, which must not be revealed here either."""
    value = one.recomputed
    is_own = one.where.startswith((f"subjects[{value}]", f"subjects[{value} ("))
    if one.what == "subjects.votes.winner" and isinstance(value, str) and not is_own:
        return ANOTHER
    return value


def _differences(recorded: Recorded, now: EvaluationResult, tolerance: float) -> list[Difference]:
    made_again: Json = json.loads(json.dumps(now.to_dict()))  # as read from a file
    return differences(
        recorded.data, made_again, tolerance=tolerance, ignored=NOT_COMPARED,
        tables=("image_sha256",),
    )  # fmt: skip

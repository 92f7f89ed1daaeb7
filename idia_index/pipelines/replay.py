"""Replay: a report made again from its index, model and images, and compared value by value."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.recorded import FILE, read_results
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.evaluate import StageProgress, gather
from idia_index.pipelines.recorded_people import People, as_at_source, as_recorded, check_images
from idia_index.pipelines.rounding import SIMILARITY, settle
from idia_index.pipelines.studies.run import read_study_source
from idia_index.report.data import EVALUATION_FORMAT, report_to_json
from idia_index.search.index import Index
from idia_index.store.manifest_json import DAMAGED
from idia_index.subjects.subjects import Subject, read_subjects
from idia_index.support.json_diff import Difference, differences
from idia_index.support.text import shown

MAX_BYTES = 256 << 20
"""Longest report that is read: of about a hundred thousand subjects."""

ROUNDED = 2e-6
"""Figures are written with six digits, of which the last may be rounded either way."""

NOT_COMPARED = (
    # Where and with what it was computed.
    "index.path", "index.versions", "backend.name", "backend.model", "backend.device",
    "replay.versions",
    # How the index lies on disk: `compact` changes it, and no answer.
    "index.format", "index.shards", "index.bytes", "index.shard_names",
    "index.waiting_for_compact", "index.history",
)  # fmt: skip

_OWN = {"command", "drawing", "measured_with_seed", "versions", "also_measured"}


@dataclass(frozen=True)
class Recorded:
    """A report to be replayed.

    Attributes:
        path: the file.
        data: its content, of `EVALUATION_FORMAT`.
        settings: what was evaluated.
    """

    path: Path
    data: Mapping[str, Any]
    settings: Settings


def read_report(path: Path) -> Recorded:
    """Reads a report.json, or that of a report's folder.

    Raises:
        InputError: there is none, or it is not one of an evaluation.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        if path.exists() and not file.is_file():
            raise ValueError("no regular file")
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
        data = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if data["format"] != EVALUATION_FORMAT:
            raise InputError(
                f"{file}: format {shown(data['format'])}; a replay takes {EVALUATION_FORMAT!r}, "
                "as evaluate --out and audit --out write it"
            )
        return Recorded(file, data, Settings.from_json(data["evaluation"]["settings"]))
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); give a report.json"
        ) from error
    except DAMAGED as error:
        raise _damaged(file, error) from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def _damaged(file: Path, error: Exception) -> InputError:
    return InputError(
        f"{file}: damaged report ({type(error).__name__}: {shown(error)}); evaluate again"
    )


@contextmanager
def _reading(recorded: Recorded) -> Iterator[None]:
    """Turns what a report ends in that lacks a part, or has another in its place, into a line."""
    try:
        yield
    except (IndexError, OSError, *DAMAGED) as error:
        raise _damaged(recorded.path, error) from error


def check_index(recorded: Recorded, index: Index) -> None:
    """Raises InputError if the index is not the one that the report was made with."""
    before, now = recorded.data["index"], index.manifest.summary()
    for key in ("names_sha256", "fingerprint", "kind", "candidates", "templates"):
        if json.loads(json.dumps(now[key])) != before[key]:
            raise InputError(
                f"{os.fsdecode(index.path)}: its {key} is not that of {recorded.path}; "
                "build the index again as it was"
            )


def replay(
    recorded: Recorded, index: Index, backend: Backend, progress: StageProgress
) -> dict[str, Any]:
    """Measures and decides again, and compares; see `compare` for the result.

    Raises:
        InputError: index or images are not those of the report, or its subjects' source or the
            results file beside it is damaged.
    """
    with _reading(recorded):
        check_index(recorded, index)
        check_images(recorded.data, recorded.path)
        # The seed of the measurement; the evaluation may have been repeated with another.
        measured_with = Settings(
            tau=recorded.settings.tau,
            sizes=(1,),
            min_images=1,
            seed=int(recorded.data["replay"]["measured_with_seed"]),
        )
        source = read_source(recorded)
        people = (
            as_recorded(recorded.data)
            if source is None
            else as_at_source(recorded.data, recorded.settings, source.subjects)
        )
    # Whoever could change the report could change what the index remembers of images.
    evidence = gather(
        index, backend, people.subjects, measured_with, cached=False, progress=progress
    )
    evidence = _with_origin(recorded, evidence, people, source)
    results = recorded.path.parent / FILE
    before = read_results(results) if results.exists() else None
    return {
        **compare(recorded, evidence, before),
        "source": None if source is None else source.place,
    }


@dataclass(frozen=True)
class Source:
    """Where a report's subjects were read from, read again.

    Attributes:
        place: the folder, CSV or study, in words.
        subjects: everybody there.
        origin: what a report states of it beside the place.
    """

    place: str
    subjects: list[Subject]
    origin: dict[str, Any]


def read_source(recorded: Recorded) -> Source | None:
    """The subjects' source as it is now; None where it is gone, or the report names none.

    Raises:
        InputError: it is there and cannot be read.
        KeyError, TypeError, ValueError: the report is damaged.
    """
    told = recorded.data["replay"]
    if "recipe" in told:
        found = read_study_source(told)
        return None if found is None else Source(found.place, found.subjects, found.origin)
    if "subjects" not in told or not Path(told["subjects"]).exists():
        return None
    place = Path(told["subjects"])
    return Source(os.fsdecode(place), read_subjects(place), {})


def _with_origin(
    recorded: Recorded, evidence: Evidence, people: People, source: Source | None
) -> Evidence:
    """The evidence with what a report states of where it comes from."""
    told = {key: value for key, value in recorded.data["replay"].items() if key not in _OWN}
    known = dict.fromkeys(people.left_out)  # beside whom this run could not test
    evidence = replace(evidence, left_out=tuple(known | dict.fromkeys(evidence.left_out)))
    return evidence.with_origin({**told, **(source.origin if source else {}), **evidence.origin})


def compare(
    recorded: Recorded, evidence: Evidence, before: Evidence | None = None
) -> dict[str, Any]:
    """What of a report holds when it is made again, as JSON data.

    The report is made from `evidence`, and every value of it must be the recorded one, but for
    `NOT_COMPARED`.

    Args:
        recorded: the report.
        evidence: what was measured again.
        before: what was measured then, of the results file beside the report. It is asked only for
            how float32 rounded there: see `idia_index.pipelines.rounding`.
    """
    now = _made_again(evidence, recorded.settings)
    found = _differences(recorded, now, 0.0)
    exact, taken = not found, 0
    if found:
        if before is not None:
            settled = settle(evidence, before)
            now, taken = _made_again(settled.evidence, recorded.settings), settled.taken
        found = _differences(recorded, now, ROUNDED)
    return {
        "format": "idia-index/replay/2",
        "report": os.fsdecode(recorded.path),
        "holds": not found,
        "exact": exact,
        "subjects": len(now["subjects"]),
        "differences": [vars(difference) for difference in found],
        "rounded_otherwise": taken,
        "similarity_tolerance": SIMILARITY,
        "versions_then": recorded.data["replay"]["versions"],
        "versions_now": now["replay"]["versions"],
    }


def _differences(recorded: Recorded, now: dict[str, Any], tolerance: float) -> list[Difference]:
    return differences(
        recorded.data, now, tolerance=tolerance, ignored=NOT_COMPARED, tables=("image_sha256",)
    )


def _made_again(evidence: Evidence, settings: Settings) -> dict[str, Any]:
    """The content of report.json, as it reads from a file."""
    out: dict[str, Any] = json.loads(json.dumps(report_to_json(evidence, settings)))
    return out

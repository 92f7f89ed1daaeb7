"""Replay: a report's decisions recomputed from its manifest, and whether they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.evaluate import StageProgress, gather
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Settings
from idia_index.files import sha256_file
from idia_index.index import Index
from idia_index.manifest import DAMAGED
from idia_index.protocols import Backend
from idia_index.report.data import EVALUATION_FORMAT, evaluation_to_json
from idia_index.subjects import Subject
from idia_index.textfiles import shown, shown_path

MAX_BYTES = 256 << 20
"""Longest report that is read: of about a hundred thousand subjects."""

MARGIN_TOLERANCE = 1e-4
"""Mean similarities that float32 on another machine may move."""

RATE_TOLERANCE = 1e-6


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
        data = json.loads(file.read_text(encoding="utf-8"))
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


def recorded_subjects(recorded: Recorded) -> list[Subject]:
    """The subjects with the very images that were used.

    Raises:
        InputError: an image is gone or is another one.
    """
    hashes = recorded.data["image_sha256"]
    subjects = []
    for entry in [*recorded.data["subjects"], *recorded.data["replay"]["also_measured"]]:
        for file in entry["image_files"]:
            path = Path(file)
            if not path.is_file():
                raise InputError(
                    f"{shown_path(path)}: is gone; put the image back to replay {recorded.path}"
                )
            if sha256_file(path) != hashes.get(file):
                raise InputError(
                    f"{shown_path(path)}: is not the image that {recorded.path} was made from"
                )
        images = tuple(Path(file) for file in entry["image_files"])
        subjects.append(
            Subject(entry["name"], images, entry["membership"], entry["training_count"])
        )
    return subjects


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
        InputError: index or images are not those of the report.
    """
    with _reading(recorded):
        check_index(recorded, index)
        # The seed of the measurement; the evaluation may have been repeated with another.
        measured_with = Settings(
            tau=recorded.settings.tau,
            sizes=(1,),
            min_images=1,
            seed=int(recorded.data["replay"]["measured_with_seed"]),
        )
        subjects = recorded_subjects(recorded)
    evidence = gather(index, backend, subjects, measured_with, baselines=False, progress=progress)
    with _reading(recorded):
        return compare(recorded, evidence)


def compare(recorded: Recorded, evidence: Evidence) -> dict[str, Any]:
    """What of a report holds when it is computed again, as JSON data.

    Decisions, correct prompts and votes must be equal; margins may differ by
    `MARGIN_TOLERANCE`, and p-values by one control name.
    """
    before, now = recorded.data, evaluation_to_json(evidence, recorded.settings)
    pairs = list(zip(before["subjects"], now["subjects"], strict=True))
    decisions = [str(a["name"]) for a, b in pairs if a["inferred_member"] != b["inferred_member"]]
    votes = [str(a["name"]) for a, b in pairs if not _same_votes(a, b)]
    margins = [abs(a["margin"] - b["margin"]) for a, b in pairs]
    p_values = [
        a["name"]
        for a, b in pairs
        if abs(a["p_value"] - b["p_value"]) > 1.5 / (max(b["controls"], 1) + 1)
    ]
    rates = _largest_rate_difference(before["evaluation"]["curves"], now["evaluation"]["curves"])
    holds = not decisions and not p_values and max(margins) <= MARGIN_TOLERANCE
    return {
        "format": "idia-index/replay/1",
        "report": os.fsdecode(recorded.path),
        "holds": holds,
        "exact": holds and not votes and rates <= RATE_TOLERANCE,
        "subjects": len(pairs),
        "decisions_differ": decisions,
        "votes_differ": votes,
        "p_values_differ": p_values,
        "largest_margin_difference": max(margins),
        "margin_tolerance": MARGIN_TOLERANCE,
        "largest_rate_difference": rates,
        "versions_then": before["replay"]["versions"],
        "versions_now": now["replay"]["versions"],
    }


def _same_votes(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the votes are the same; of winners that one report does not name, the count."""
    if before["correct_prompts"] != now["correct_prompts"]:
        return False
    for a, b in zip(before["votes"], now["votes"], strict=True):
        what = "count" if None in (a["winner"], b["winner"]) else "winner"
        if a["tie"] != b["tie"] or a[what] != b[what]:
            return False
    return True


def _largest_rate_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    found = [0.0]
    for rate in ("tpr", "fpr"):
        if before[rate] is not None:
            found += [
                abs(a - b) for a, b in zip(before[rate]["mean"], now[rate]["mean"], strict=True)
            ]
    return max(found)

"""Reads a report to be replayed: what is needed to reproduce it, and all values to compare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from idia_index.errors import InputError
from idia_index.evaluation.choices import StatedChoices
from idia_index.evaluation.evidence import Origin
from idia_index.evaluation.records.rates import Membership
from idia_index.evaluation.settings import LeftOut, Settings
from idia_index.report.documents import EVALUATION_FORMAT
from idia_index.report.subject_result import SkippedFile
from idia_index.store.manifest_json import DAMAGED
from idia_index.subjects.reference_faces import FacesSummary
from idia_index.support.documents import JsonObject, from_json
from idia_index.support.text import shown
from idia_index.types import Fingerprint

MAX_BYTES = 256 << 20
"""Maximum size of a report, about a hundred thousand subjects."""


@dataclass(frozen=True)
class RecordedSubject:
    """A person of a report, without the result."""

    name: str
    membership: Membership | None
    training_count: int | None
    image_files: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    person_id: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class AlsoMeasured(RecordedSubject):
    """A person excluded from the report; `place` is the position among all measured people."""

    place: int


@dataclass(frozen=True)
class RecordedIndex:
    """The properties of the index that a replay must match."""

    path: str
    names_sha256: str
    fingerprint: Fingerprint
    kind: str
    candidates: int
    templates: int


@dataclass(frozen=True)
class RecordedBackend:
    """How the images were cropped, and the cautions about their faces."""

    crop: str = "none"
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordedEvaluation:
    """The settings of the evaluation."""

    settings: Settings


@dataclass(frozen=True, kw_only=True)
class RecordedReplay(Origin):
    """The report's information for a replay."""

    measured_with_seed: int
    versions: Mapping[str, str]
    also_measured: tuple[AlsoMeasured, ...]


@dataclass(frozen=True)
class RecordedPValues:
    """What p-values rest on besides the subjects."""

    reference_faces: FacesSummary | None = None


@dataclass(frozen=True)
class RecordedReport:
    """The inputs of a report; its results are not parsed, only compared."""

    index: RecordedIndex
    backend: RecordedBackend
    subjects: tuple[RecordedSubject, ...]
    left_out: tuple[LeftOut, ...]
    evaluation: RecordedEvaluation
    replay: RecordedReplay
    image_sha256: Mapping[str, str]
    p_values: RecordedPValues | None = None
    choices: StatedChoices | None = None


@dataclass(frozen=True)
class Recorded:
    """A report to be replayed.

    Attributes:
        path: the file.
        data: its content as JSON data, whose every value is compared.
        report: the inputs of a replay.
    """

    path: Path
    data: JsonObject
    report: RecordedReport

    @property
    def settings(self) -> Settings:
        """What was evaluated."""
        return self.report.evaluation.settings


def read_report(path: Path) -> Recorded:
    """Reads a report.json, or that of a report's folder.

    Raises:
        InputError: there is none, or it is not one of an evaluation.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        if path.exists() and not file.is_file():
            raise ValueError("not a regular file")
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
        data = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if data["format"] != EVALUATION_FORMAT:
            raise InputError(
                f"{file}: format {shown(data['format'])}, expected {EVALUATION_FORMAT!r}; pass a "
                "report by evaluate --out or audit --out"
            )
        return Recorded(file, data, from_json(RecordedReport, data))
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); pass a report.json"
        ) from error
    except DAMAGED as error:
        raise damaged(file, error) from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def damaged(file: Path, error: Exception) -> InputError:
    """The error for a report that cannot be understood."""
    return InputError(
        f"{file}: damaged report ({type(error).__name__}: {shown(error)}); evaluate again"
    )


@contextmanager
def reading(recorded: Recorded) -> Iterator[None]:
    """Turns the errors of an invalid path into one about the report."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise damaged(recorded.path, error) from error

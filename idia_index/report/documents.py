"""The documents of an audit and an evaluation: plain data that compares, pickles and prints.

Terminal, CSV and HTML page are renderings of these records; `to_dict` returns what `--json`
prints, and `to_text` what is printed without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from idia_index.decide.results import BackendSummary
from idia_index.errors import MissingExtraError
from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.choices import StatedChoices
from idia_index.evaluation.evidence import Origin
from idia_index.evaluation.groups import GroupTest
from idia_index.evaluation.likelihood import StudyCalibration
from idia_index.evaluation.records.p_values import PValueSummary
from idia_index.evaluation.records.rates import Membership, Metrics
from idia_index.evaluation.settings import LeftOut
from idia_index.report.audit_text import audit_text, query_text
from idia_index.report.evaluation_text import evaluation_text
from idia_index.report.html import render
from idia_index.report.subject_result import (
    COLUMNS,
    SkippedFile,
    SkippedPerson,
    SubjectResult,
    subject_row,
)
from idia_index.store.summary import IndexSummary
from idia_index.support.documents import JsonObject, to_object

if TYPE_CHECKING:
    from pandas import DataFrame

EVALUATION_FORMAT: Literal["idia-index/evaluation/3"] = "idia-index/evaluation/3"


@dataclass(frozen=True, repr=False)
class AuditResult:
    """An audit of several people, by protocol `jair2024`.

    Attributes:
        format: name and version of the document's format.
        protocol: the decision rule.
        tau: correct prompts needed to infer that a subject is in the training data.
        templates: the templates, each with its placeholder.
        candidates: number of candidate names.
        index: the index that was searched.
        backend: the backend that encoded the images.
        subjects: the result for each person.
        skipped: people who could not be tested; in an evaluation they are among `left_out`.
        metrics: rates over people of known membership; null if there are none.
        groups: tests of groups of people, by ascending p-value; null if not requested.
        calibration: the study used to calibrate likelihood ratios; null if none was given.
        choices: the settings fixed before any photo was encoded; null if unknown.
        notes: what every reader of the result must know.
    """

    format: Literal["idia-index/audit/1", "idia-index/evaluation/3"]
    protocol: Literal["jair2024"]
    tau: int
    templates: tuple[str, ...]
    candidates: int
    index: IndexSummary
    backend: BackendSummary
    subjects: tuple[SubjectResult, ...]
    skipped: tuple[SkippedPerson, ...]
    metrics: Metrics | None
    groups: tuple[GroupTest, ...] | None
    calibration: StudyCalibration | None
    choices: StatedChoices | None
    notes: tuple[str, ...]

    @property
    def associated(self) -> tuple[SubjectResult, ...]:
        """The people whose face the model associates with their name."""
        return tuple(subject for subject in self.subjects if subject.inferred_member)

    @property
    def left_out_files(self) -> tuple[str, ...]:
        """The reason for each file that was left out, in the order of the subjects."""
        return tuple(each.reason for subject in self.subjects for each in subject.skipped)

    def to_dict(self) -> JsonObject:
        """The document as JSON data."""
        return to_object(self)

    @property
    def most_associated_first(self) -> list[SubjectResult]:
        """The people, by descending number of correct prompts."""
        return sorted(self.subjects, key=lambda s: (-s.correct_prompts, s.p_value or 0))

    def to_text(self) -> str:
        """The result in words, as `idia-index` prints it."""
        return audit_text(self)

    def to_frame(self) -> DataFrame:
        """A pandas DataFrame with a row per person; raises MissingExtraError without pandas."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("a data frame of results", "pandas", "pandas") from error
        return pd.DataFrame([subject_row(each) for each in self.subjects], columns=list(COLUMNS))

    def _repr_html_(self) -> str:
        return render("notebook.html", result=self, people=self.most_associated_first)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self.associated)} of {len(self.subjects)} people "
            f"associated, {len(self.templates)} prompts, {self.candidates:,} candidates, "
            f"tau={self.tau}, model {self.index.model!r}>"
        )


@dataclass(frozen=True)
class NameShare:
    """How often a name was predicted.

    Attributes:
        name: the candidate.
        votes: number of predictions over all templates and images.
        share: its share of all predictions.
    """

    name: str
    votes: int
    share: float


@dataclass(frozen=True, repr=False)
class QueryResult(AuditResult):
    """An audit of one person from the images passed in, as printed by `query`.

    Attributes:
        top: the most frequently predicted names; null if not requested.
    """

    top: tuple[NameShare, ...] | None

    def to_text(self) -> str:
        """The answer in words, as `idia-index` prints it."""
        return query_text(self)


@dataclass(frozen=True)
class MeasuredSubject:
    """A person who was measured but is excluded from the report by its settings.

    Attributes:
        place: position among all measured people.
        person_id: as for a person in the report.
    """

    name: str
    place: int
    membership: Membership | None
    training_count: int | None
    image_files: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    person_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replay(Origin):
    """What a replay needs besides the index and the settings.

    Attributes:
        command: the command that replays the report.
        drawing: name and version of the algorithm that draws images.
        measured_with_seed: seed of control names, smaller pools and folds.
        versions: versions of the libraries that made the report.
        also_measured: people whose images are used for the p-values of others.
    """

    command: str
    drawing: str
    measured_with_seed: int
    versions: Mapping[str, str]
    also_measured: tuple[MeasuredSubject, ...]


@dataclass(frozen=True, repr=False)
class EvaluationResult(AuditResult):
    """An evaluation: an audit, and whether its findings hold up; the content of report.json.

    Attributes:
        warnings: what a reader must see first.
        left_out: people excluded by the settings.
        p_values: the method of the p-values, its assumption, and who stands out; null if only
            labels are known.
        evaluation: rates, curves and checks.
        replay: what a replay needs.
        image_sha256: SHA-256 of each image, by its path.
    """

    warnings: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    p_values: PValueSummary | None
    evaluation: Analysis
    replay: Replay
    image_sha256: Mapping[str, str]

    def to_text(self) -> str:
        """The evaluation in words, as `idia-index` prints it."""
        return evaluation_text(self)

"""The documents of an audit and of an evaluation: plain data that compares, pickles and prints.

Terminal, CSV and page are renderers of these records; `to_dict` gives what `--json` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from idia_index.decide.decision import Decision
from idia_index.decide.results import BackendSummary
from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.evidence import Origin
from idia_index.evaluation.records import Firmness, Membership, Metrics, PValueOf, PValueSummary
from idia_index.evaluation.settings import LeftOut
from idia_index.store.summary import IndexSummary
from idia_index.support.documents import JsonObject, to_object

if TYPE_CHECKING:
    from pandas import DataFrame

EVALUATION_FORMAT: Literal["idia-index/evaluation/3"] = "idia-index/evaluation/3"


@dataclass(frozen=True)
class Vote:
    """What one template's prompts choose for a subject's images.

    Attributes:
        template: id of the template.
        winner: the candidate that most images choose; null for a tie.
        count: images that choose it.
        tie: whether several candidates share the highest count.
    """

    template: int
    winner: str | None
    count: int
    tie: bool


@dataclass(frozen=True)
class SkippedFile:
    """A file that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class SkippedPerson:
    """A person who could not be tested, and why."""

    name: str
    reason: str


@dataclass(frozen=True, repr=False)
class SubjectResult:
    """What was found for one person.

    Attributes:
        name: the person's name.
        candidate: the candidate that stands for it.
        in_index: whether it is the index's own, or was encoded for this audit.
        spellings: other candidates that the model cannot tell from the name; one with it here.
        rival_spellings: predicted candidates that may be the name under another spelling.
        images: number of images that were used.
        correct_prompts: templates whose winner is the person's name.
        tau: correct prompts from which the person is inferred to be in the training data.
        inferred_member: whether the person is.
        verdict: the same in words.
        membership: what is known; null where nothing is.
        training_count: training images of the person; null where not known.
        votes: one of each template.
        rivals_named: whether what people read may name other winners.
        image_files: the files that were used.
        skipped: files that were left out.
        p_value: the larger of the two p-values below; null where they were left out.
        p_value_of: which of them it is.
        control_p_value: rank of the name among control names, for the person's photos.
        name_fixed_p_value: rank of the person's photos among other people's, for the name; null
            with fewer than 20 comparable people.
        references: how many those are.
        reference_photos: photos of each of them that were compared, and of the person at a time.
        pmi: pointwise mutual information of photos and name; null with fewer than 20 others.
        q_value: `control_p_value` adjusted for the number of subjects (Benjamini-Hochberg).
        controls: number of control names.
        smallest_p: the smallest p-value that so many allow.
        controls_matched_on: what the control names share with the name.
        rule_null: share of the control names that the rule would associate with the images.
        margin: mean similarity of the images to the name minus that to the best other.
        firmness: how far the verdict depends on settings; of an evaluation only.
    """

    name: str
    candidate: str
    in_index: bool
    spellings: tuple[str, ...]
    rival_spellings: tuple[str, ...]
    images: int
    correct_prompts: int
    tau: int
    inferred_member: bool
    verdict: str
    membership: Membership | None
    training_count: int | None
    votes: tuple[Vote, ...]
    rivals_named: bool
    image_files: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    p_value: float | None = None
    p_value_of: PValueOf | None = None
    control_p_value: float | None = None
    name_fixed_p_value: float | None = None
    references: int | None = None
    reference_photos: int | None = None
    pmi: float | None = None
    q_value: float | None = None
    controls: int | None = None
    smallest_p: float | None = None
    controls_matched_on: tuple[str, ...] | None = None
    rule_null: float | None = None
    margin: float | None = None
    firmness: Firmness | None = None

    @property
    def decision(self) -> Decision:
        """The decision of the rule."""
        return Decision(self.correct_prompts, self.tau)

    def decide(self, tau: int) -> Decision:
        """The decision by another tau."""
        return Decision(self.correct_prompts, tau)

    def to_dict(self) -> JsonObject:
        """The result as JSON data."""
        return to_object(self)

    def __repr__(self) -> str:
        inferred = "associated" if self.inferred_member else "not associated"
        p = "" if self.p_value is None else f", p={self.p_value:.2g}"
        return (
            f"<SubjectResult {self.name!r}: {inferred}, {self.correct_prompts} of "
            f"{len(self.votes)} prompts, {self.images} images{p}>"
        )


@dataclass(frozen=True, repr=False)
class AuditResult:
    """An audit of several people, by protocol `jair2024`.

    Attributes:
        format: name and version of the document's format.
        protocol: the rule.
        tau: correct prompts from which a subject is inferred to be in the training data.
        templates: the templates, each with its placeholder.
        candidates: number of candidate names.
        index: the index that was searched.
        backend: what the images were encoded with.
        subjects: what was found for each person.
        skipped: people who could not be tested; of an evaluation they are among `left_out`.
        metrics: rates where membership is known; null where it is of nobody.
        notes: what everybody who reads the result must know.
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
    notes: tuple[str, ...]

    @property
    def associated(self) -> tuple[SubjectResult, ...]:
        """The people whose face the model associates with their name."""
        return tuple(subject for subject in self.subjects if subject.inferred_member)

    @property
    def left_out_files(self) -> tuple[str, ...]:
        """Why each file that was left out was, in the order of the subjects."""
        return tuple(each.reason for subject in self.subjects for each in subject.skipped)

    def to_dict(self) -> JsonObject:
        """The document as JSON data."""
        return to_object(self)

    def to_frame(self) -> DataFrame:
        """A pandas DataFrame with a row per person; raises MissingExtraError without pandas."""
        from idia_index.report.tables import subjects_frame

        return subjects_frame(self)

    def _repr_html_(self) -> str:
        from idia_index.report.page import notebook_html

        return notebook_html(self)

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
        votes: predictions, over all templates and images.
        share: of all of them.
    """

    name: str
    votes: int
    share: float


@dataclass(frozen=True, repr=False)
class QueryResult(AuditResult):
    """An audit of one person whose images were given, as `query` prints it.

    Attributes:
        top: the names that were predicted most often; null where nobody asked.
    """

    top: tuple[NameShare, ...] | None


@dataclass(frozen=True)
class MeasuredSubject:
    """A person who was measured, and whom the settings leave out of the report.

    Attributes:
        place: where among all measured people.
    """

    name: str
    place: int
    membership: Membership | None
    training_count: int | None
    image_files: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, kw_only=True)
class Replay(Origin):
    """What a replay needs beside the index and the settings.

    Attributes:
        command: the command that replays the report.
        drawing: name and version of the way in which images are drawn.
        measured_with_seed: seed of control names, smaller pools and folds.
        versions: versions of the libraries that made the report.
        also_measured: people whose images count for the p-values of others.
    """

    command: str
    drawing: str
    measured_with_seed: int
    versions: Mapping[str, str]
    also_measured: tuple[MeasuredSubject, ...]


@dataclass(frozen=True, repr=False)
class EvaluationResult(AuditResult):
    """An evaluation: an audit, and whether what it finds holds up; the content of report.json.

    Attributes:
        warnings: what must stand first.
        left_out: people whom the settings leave out.
        p_values: the method of the p-values, its assumption, and who stands out.
        evaluation: rates, curves and checks.
        replay: what a replay needs.
        image_sha256: SHA-256 of each image, by its path.
    """

    warnings: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    p_values: PValueSummary
    evaluation: Analysis
    replay: Replay
    image_sha256: Mapping[str, str]

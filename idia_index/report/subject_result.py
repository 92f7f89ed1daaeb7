"""The result for one person, as stated in reports."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.decide.decision import Decision
from idia_index.evaluation.likelihood import LikelihoodRatio
from idia_index.evaluation.records.p_values import PValueOf
from idia_index.evaluation.records.rates import Membership
from idia_index.evaluation.records.sensitivity import Firmness
from idia_index.evaluation.strength import Grade
from idia_index.support.documents import JsonObject, to_object
from idia_index.support.text import labelled

# The columns of subjects.csv and of a data frame.
COLUMNS = (
    "name", "person_id", "images", "correct_prompts", "inferred_member", "strength", "membership",
    "training_count", "p_value", "p_value_of", "control_p_value", "name_fixed_p_value", "q_value",
    "controls", "references", "reference_photos", "rule_null", "margin", "pmi", "likelihood_ratio",
)  # fmt: skip
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Vote:
    """The vote of a subject's images in one template.

    Attributes:
        template: id of the template.
        winner: the candidate chosen by the most images; null for a tie.
        count: number of images that chose it.
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
    """The result for one person.

    Attributes:
        name: the person's name.
        candidate: the candidate that represents the name.
        in_index: whether the candidate is in the index; if not, it was encoded for this audit.
        spellings: other candidates that the model reads as the same name; counted as one with it.
        rival_spellings: predicted candidates that may be another spelling of the name.
        near_names: candidates of which the name may be a misspelling: all those at the smallest
            edit distance, by letters and never by faces; empty if none is near, or if the name is
            a candidate; null if too many names are missing from the index to search for them.
        images: number of images used.
        correct_prompts: number of templates whose winner is the person's name.
        tau: correct prompts needed to infer that the person is in the training data.
        inferred_member: whether this is inferred.
        verdict: the same in words.
        membership: the known membership; null if unknown.
        training_count: number of training images of the person; null if unknown.
        votes: one per template.
        rivals_named: whether text for readers may name other winners.
        image_files: the files used.
        skipped: files that were left out.
        p_value: the larger of the two p-values below; null if they were not computed.
        p_value_of: which of the two it is.
        control_p_value: rank of the name among control names, for the person's photos.
        name_fixed_p_value: rank of the person's photos among other people's, for the name; null
            with fewer than 20 comparable people.
        references: number of those people.
        reference_photos: photos of each of them that were compared, and of the person at a time.
        pmi: pointwise mutual information of photos and name; null with fewer than 20 others.
        q_value: `control_p_value` adjusted for the number of subjects (Benjamini-Hochberg).
        e_value: `control_p_value` as an e-value, with mean at most one under the null.
        controls: number of control names.
        smallest_p: the smallest p-value possible with that number.
        controls_matched_on: what the control names share with the name.
        rule_null: share of the control names that the rule would associate with the images.
        strength: strength of the evidence; null without p-values.
        likelihood_ratio: the score's likelihood ratio by a study; null if none was given.
        margin: mean similarity of the images to the name minus that to the best other name.
        firmness: how much the verdict depends on settings; only in an evaluation.
        person_id: distinguishes people of the same name; null if not given.
    """

    name: str
    candidate: str
    in_index: bool
    spellings: tuple[str, ...]
    rival_spellings: tuple[str, ...]
    near_names: tuple[str, ...] | None
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
    e_value: float | None = None
    controls: int | None = None
    smallest_p: float | None = None
    controls_matched_on: tuple[str, ...] | None = None
    rule_null: float | None = None
    strength: Grade | None = None
    likelihood_ratio: LikelihoodRatio | None = None
    margin: float | None = None
    firmness: Firmness | None = None
    person_id: str | None = None

    @property
    def label(self) -> str:
        """The name, with what distinguishes people of the same name."""
        return labelled(self.name, self.person_id)

    @property
    def decision(self) -> Decision:
        """The rule's decision."""
        return Decision(self.correct_prompts, self.tau)

    def decide(self, tau: int) -> Decision:
        """The decision with another tau."""
        return Decision(self.correct_prompts, tau)

    def to_dict(self) -> JsonObject:
        """The result as JSON data."""
        return to_object(self)

    def __repr__(self) -> str:
        inferred = "associated" if self.inferred_member else "not associated"
        p = "" if self.p_value is None else f", p={self.p_value:.2g}"
        return (
            f"<SubjectResult {self.label!r}: {inferred}, {self.correct_prompts} of "
            f"{len(self.votes)} prompts, {self.images} images{p}>"
        )


def subject_row(subject: SubjectResult) -> list[Cell]:
    """A person's value in each of the columns."""
    values = (getattr(subject, column) for column in COLUMNS)
    return [value.ratio if isinstance(value, LikelihoodRatio) else value for value in values]

"""What was found for one person, as reports state it."""

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

# Of a person in subjects.csv and in a data frame.
COLUMNS = (
    "name", "person_id", "images", "correct_prompts", "inferred_member", "strength", "membership",
    "training_count", "p_value", "p_value_of", "control_p_value", "name_fixed_p_value", "q_value",
    "controls", "references", "reference_photos", "rule_null", "margin", "pmi", "likelihood_ratio",
)  # fmt: skip
Cell = str | int | float | bool | None


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
        near_names: candidates that the name may be misspelt from: all at the smallest edit
            distance, by letters and never by faces; empty where none is near, or the name is a
            candidate; null where too many names lack to look for them.
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
        e_value: `control_p_value` as an e-value, of mean at most one under the null.
        controls: number of control names.
        smallest_p: the smallest p-value that so many allow.
        controls_matched_on: what the control names share with the name.
        rule_null: share of the control names that the rule would associate with the images.
        strength: how strong the evidence is; null where there are no p-values.
        likelihood_ratio: what the score is worth by a study; null where none is given.
        margin: mean similarity of the images to the name minus that to the best other.
        firmness: how far the verdict depends on settings; of an evaluation only.
        person_id: what tells people of the same name apart; null where nothing was given.
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
        """The name, with what tells people of the same name apart."""
        return labelled(self.name, self.person_id)

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
            f"<SubjectResult {self.label!r}: {inferred}, {self.correct_prompts} of "
            f"{len(self.votes)} prompts, {self.images} images{p}>"
        )


def subject_row(subject: SubjectResult) -> list[Cell]:
    """What stands of a person in each of the columns."""
    values = (getattr(subject, column) for column in COLUMNS)
    return [value.ratio if isinstance(value, LikelihoodRatio) else value for value in values]

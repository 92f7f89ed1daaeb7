"""The document of a canary audit: what one training run proves about a model's leakage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from idia_index.evaluation.canaries import GuessPlan, Separation
from idia_index.report.canaries_text import canary_text
from idia_index.report.comparison import ComparedModel
from idia_index.report.policy import Judged
from idia_index.support.documents import JsonObject, to_object

CANARY_FORMAT: Literal["idia-index/canary-audit/1"] = "idia-index/canary-audit/1"

ASSUMPTIONS = (
    "Each canary was put in or left out by its own fair coin, and nobody who trained the model "
    "knew which were left out. The seal shows that the assignment has not been changed; whoever "
    "made the canaries must vouch that the coins were fair and that the training set was used as "
    "written.",
    "The bound holds for this training run, with a canary and all its images as the unit: it "
    "concerns the privacy of one person with so many images, not of one image.",
    "Training may use the canaries in any way. If it left them out, or treated them unlike other "
    "data, the bound says nothing about the other data.",
    "The score and the guessing plans were fixed before the assignment was opened. If several "
    "plans are tried, each gets its share of the error probability.",
    "A bound of 0 does not show that the model is private: a better attack, more canaries or "
    "more images of each may prove more. Only the design of the training can show privacy.",
    "How well canaries are remembered depends on how they were made: rendered faces with unusual "
    "names may be remembered better, or worse, than people in real photos.",
)


@dataclass(frozen=True)
class CanaryScore:
    """One canary, after the assignment was opened.

    Attributes:
        name: the made-up name.
        images: its number of training images, whether or not it was put in.
        included: whether it was put in.
        correct_prompts: templates whose winner is the name.
        associated: whether the rule associates face and name.
        score: PMI of its photos and name.
    """

    name: str
    images: int
    included: bool
    correct_prompts: int
    associated: bool
    score: float


@dataclass(frozen=True)
class CanaryAudit:
    """The result of testing a model with canaries.

    Attributes:
        format: name and version of the document's format.
        model: the model.
        seal: the seal of the assignment, opened and verified.
        source: "rendered" or "photos".
        canaries: number of canaries.
        candidates: number of candidate names, including the canaries' own.
        tau: correct prompts from which the rule associates.
        delta: the bound's delta.
        confidence: the bound's confidence.
        epsilon_lower_bound: the largest epsilon that the guesses refute: training was not
            (epsilon, delta)-differentially private for any smaller one.
        mu_lower_bound: the largest mu of Gaussian differential privacy that the guesses refute, at
            the same confidence (for each of the two bounds, not for both together).
        gaussian_epsilon: the epsilon at `delta` that follows from mu: a bound on epsilon if
            training has the privacy of Gaussian noise; null at delta 0, where there is none.
        plans: each guessing plan.
        overall: how well scores distinguish the canaries.
        by_images: the same by training images of a canary.
        people: each canary; reveals the assignment.
        policy: the rules passed, and their outcome.
        assumptions: what must hold for the bound.
    """

    format: Literal["idia-index/canary-audit/1"]
    model: ComparedModel
    seal: str
    source: Literal["rendered", "photos"]
    canaries: int
    candidates: int
    tau: int
    delta: float
    confidence: float
    epsilon_lower_bound: float
    mu_lower_bound: float
    gaussian_epsilon: float | None
    plans: tuple[GuessPlan, ...]
    overall: Separation
    by_images: tuple[Separation, ...]
    people: tuple[CanaryScore, ...]
    policy: tuple[Judged, ...]
    assumptions: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """The document as JSON data."""
        return to_object(self)

    def to_text(self) -> str:
        """The document as text for a terminal."""
        return canary_text(self)

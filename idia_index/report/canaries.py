"""The document of a canary audit: what one training run proves of what a model leaks."""

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
    "Each canary was put in or left out by a fair coin of its own, and nobody who trained knew "
    "which were left out. The seal shows that the assignment was not changed since it was made; "
    "that the coins were fair, and that the training set was mixed in as it was written, is for "
    "whoever made them to vouch.",
    "The bound is of this training run and of a canary with all its images as the unit: what is "
    "hidden of one person with so many images, not of one image.",
    "Training may use the canaries in any way. If it left them out, or treated them unlike other "
    "data, the bound says nothing of the other data.",
    "The score and the plans of guessing were fixed before the assignment was opened. Where "
    "several plans are tried, each is taken at its share of the error.",
    "A bound of 0 does not show that the model is private: a better attack, more canaries or "
    "more images of each may prove more. Only the design of the "
    "training can show that.",
    "Canaries are as hard or as easy to remember as they were made: rendered faces with unheard-of "
    "names may be remembered better, or worse, than people in real photos.",
)


@dataclass(frozen=True)
class CanaryScore:
    """One canary, after the assignment was opened.

    Attributes:
        name: the made-up name.
        images: its training images, had or not.
        included: whether it was put in.
        correct_prompts: templates whose winner is the name.
        associated: whether the rule associates face and name.
        score: PMI of its photos and its name.
    """

    name: str
    images: int
    included: bool
    correct_prompts: int
    associated: bool
    score: float


@dataclass(frozen=True)
class CanaryAudit:
    """A model held against canaries.

    Attributes:
        format: name and version of the document's format.
        model: the model.
        seal: the seal of the assignment, which was opened and fits.
        source: "rendered" or "photos".
        canaries: how many there are.
        candidates: number of candidate names they competed with, their own among them.
        tau: correct prompts from which the rule associates.
        delta: of the bound.
        confidence: of the bound.
        epsilon_lower_bound: the largest epsilon that the guesses refute: training was not
            (epsilon, delta)-differentially private for any smaller one.
        mu_lower_bound: the largest mu of Gaussian differential privacy that the guesses refute, at
            the same confidence (each of the two bounds holds at it, not both together).
        gaussian_epsilon: the epsilon at `delta` of a training with so much noise: a bound on it
            where the privacy of training is that of Gaussian noise; null at delta 0, where it has
            none.
        plans: each plan of guessing.
        overall: how far scores tell the canaries apart.
        by_images: the same by training images of a canary.
        people: each canary; whoever reads this knows the assignment.
        policy: the rules that were given, and what came of them.
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

"""Plans an audit: the non-members, members, control names and images that a claim needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from idia_index.errors import InputError
from idia_index.evaluation.controls import MOST_CONTROLS as MOST_CONTROLS
from idia_index.evaluation.epsilon import canaries_needed, check_canaries
from idia_index.evaluation.personas import MOST_NAMES, MOST_PERSONAS
from idia_index.pipelines.powers import (
    MOST_PEOPLE,
    GroupPower,
    PersonaPower,
    group_powers,
    leak_power,
    persona_powers,
)
from idia_index.pipelines.powers import LeakPower as LeakPower
from idia_index.support.intervals import fewest, incomplete_beta, people_needed

MOST_IMAGES = 1000
MOST_ERRORS = 1_000_000  # the search for a bound takes time proportional to the errors
LEAST_MARGIN = 0.0001  # fifty million members or more; below it, rounding dominates


@dataclass(frozen=True)
class Wanted:
    """A claim.

    Attributes:
        fpr: "the false positive rate is below this", one-sided at `confidence`.
        errors: false positives to allow for among the non-members.
        tpr: the expected true positive rate.
        margin: maximum half-width of its two-sided interval.
        subjects: people tested without known truth.
        known: number of them expected to stand out.
        fdr: false discovery rate among those reported.
        hit_rate: share of a member's images whose prediction is the true name, in one prompt.
        rival_rate: share for the most frequent other name.
        rivals: number of names as frequent as it.
        true_fpr: the model's actual rate, for the power of the claim.
        power: chance of seeing few enough false positives to make the claim.
        group: people from one source who are tested together.
        personas: number of planted personas.
        persona_names: names of each besides the drawn one.
        leak: AUC of a leak that must raise the alarm.
        confidence: confidence of all claims.
        epsilon: lower bound on epsilon that canaries must prove; null: no canaries are planned.
        delta: the bound's delta.
        guess_accuracy: expected share of correct guesses about canaries.
        guess_share: share of the canaries that are guessed.
    """

    fpr: float = 0.01
    errors: int = 0
    tpr: float = 0.8
    margin: float = 0.05
    subjects: int = 1
    known: int = 1
    fdr: float = 0.05
    hit_rate: float = 0.3
    rival_rate: float = 0.1
    rivals: int = 1
    true_fpr: float = 0.002
    power: float = 0.9
    group: int = 20
    personas: int = 20
    persona_names: int = 99
    leak: float = 0.7
    confidence: float = 0.95
    epsilon: float | None = None
    delta: float = 0.0
    guess_accuracy: float = 0.95
    guess_share: float = 0.25

    def __post_init__(self) -> None:
        for name in ("fpr", "tpr", "margin", "fdr", "hit_rate", "confidence", "power"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(f"{_option(name)} {value}: pass a share between 0 and 1")
        check_canaries(self.epsilon, self.delta, self.guess_accuracy, self.guess_share)
        if self.margin < LEAST_MARGIN:
            raise InputError(f"--margin {self.margin:g}: pass at least {LEAST_MARGIN}")
        if not 0 <= self.rival_rate <= 1 - self.hit_rate:
            raise InputError(
                f"--rival-rate {self.rival_rate}: with a hit rate of {self.hit_rate}, pass 0 to "
                f"{1 - self.hit_rate:g}"
            )
        if not 0 <= self.true_fpr < 1:
            raise InputError(f"--true-fpr {self.true_fpr}: pass a share from 0 to below 1")
        if not 0.5 < self.leak < 1:
            raise InputError(f"--leak {self.leak}: pass an AUC between 0.5 and 1")
        for name, most in (("personas", MOST_PERSONAS), ("persona_names", MOST_NAMES)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(
                    f"{_option(name)} {getattr(self, name)}: pass an integer from 1 to {most:,}"
                )
        if min(self.rivals, self.group) < 1:
            raise InputError(
                f"rivals {self.rivals}, group {self.group}: pass an integer of at least 1"
            )
        if self.errors > MOST_ERRORS:
            raise InputError(f"--errors {self.errors}: pass at most {MOST_ERRORS:,}")
        if self.errors < 0 or not 1 <= self.known <= self.subjects:
            raise InputError(
                f"errors {self.errors}, known {self.known}, subjects {self.subjects}: errors are "
                "0 or more, known 1 to the number of subjects"
            )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def members_needed(tpr: float, margin: float, confidence: float = 0.95) -> int:
    """Members from which on the exact interval around `tpr` stays within `margin`.

    With this and every larger number, it is within `tpr` - `margin` and `tpr` + `margin` if the
    number found is the expected one, rounded to an integer. Some smaller numbers may do too,
    depending on rounding.
    """
    claim = tpr, margin, confidence
    # Rounding moves the hits by at most one half. If it holds even so, it holds from there on.
    high = fewest(lambda people: _within(people, 0.5, claim), 0, 1)
    while high > 1 and _within(high - 1, 0.0, claim):
        high -= 1
    return high


def _within(people: int, slack: float, claim: tuple[float, float, float]) -> bool:
    """Whether the interval of a rate stays within a margin, at a confidence.

    Args:
        people: number of people.
        slack: additional or missing hits to tolerate; if not zero, hits are not rounded.
        claim: the rate, the margin and the confidence.
    """
    rate, margin, confidence = claim
    hits = rate * people if slack else round(rate * people)
    most, fewest = min(hits + slack, people), max(hits - slack, 0)
    level = (1 - confidence) / 2
    # The bounds themselves are not needed: so few, or so many, must be rare at the margins.
    return _few(most, people, rate + margin) <= level and (
        _few(people - fewest, people, 1 - rate + margin) <= level
    )


def _few(hits: float, people: int, rate: float) -> float:
    """P(X <= hits) for X ~ Binomial(people, rate)."""
    if rate >= 1:
        return 0.0
    return 1.0 if hits >= people else incomplete_beta(people - hits, hits + 1, 1 - rate)


def controls_needed(subjects: int, known: int, fdr: float) -> int | None:
    """Fewest control names per person with which `known` of `subjects` can pass together.

    The smallest p-value that K controls allow is 1 / (K + 1), and `known` people with it pass
    Benjamini-Hochberg at rate `fdr` if it is at most fdr * known / subjects. None if that takes
    more than `MOST_CONTROLS`, the maximum of an audit.
    """
    needed = math.ceil(subjects / (fdr * known) - 1e-9) - 1
    return needed if needed <= MOST_CONTROLS else None


def known_needed(subjects: int, fdr: float) -> int | None:
    """Fewest of `subjects` who can pass together with `MOST_CONTROLS`; None: not even all."""
    known = math.ceil(subjects / (fdr * (MOST_CONTROLS + 1)) - 1e-9)
    return known if known <= subjects else None


def images_needed(
    hit_rate: float, rival_rate: float, confidence: float = 0.95, rivals: int = 1
) -> int | None:
    """Fewest images with which the true name beats its strongest rivals in a prompt.

    Exact for one rival; for several equally frequent ones by Bonferroni's inequality: the chance of
    losing to any is at most the sum of the chances of losing to each. Images vote independently for
    the true name, a rival, or others with scattered votes; a tie is not a win. The result holds
    for larger numbers too. None if `MOST_IMAGES` are too few.
    """
    confidence = 1 - (1 - confidence) / rivals
    if hit_rate <= rival_rate:
        return None
    lead = {0: 1.0}
    needed: int | None = None
    for images in range(1, MOST_IMAGES + 1):
        after: dict[int, float] = {}
        for value, p in lead.items():
            for step, share in ((1, hit_rate), (-1, rival_rate), (0, 1 - hit_rate - rival_rate)):
                after[value + step] = after.get(value + step, 0.0) + p * share
        # Negligible terms would make this quadratic in the number of images.
        lead = {value: p for value, p in after.items() if p > 1e-12}
        wins = sum(p for value, p in lead.items() if value > 0)
        if wins >= confidence:
            needed = images if needed is None else needed
            if wins >= (1 + confidence) / 2:
                return needed
        else:
            needed = None
    return needed


def non_members_for_power(
    rate: float, true_rate: float, power: float, confidence: float
) -> int | None:
    """Fewest non-members with which the claim "the FPR is below `rate`" is likely to succeed.

    It succeeds if the one-sided exact bound of the observed rate is below `rate`. None if the true
    rate is not below, or more than a million are needed.
    """
    if true_rate >= rate:
        return None
    errors = 0
    while (people := people_needed(rate, errors, confidence)) <= MOST_PEOPLE:
        if _few(errors, people, true_rate) >= power:
            return people
        errors += 1
    return None


@dataclass(frozen=True)
class Plan:
    """What a claim needs.

    Attributes:
        format: name and version of the document's format.
        wanted: the claim.
        non_members: non-members needed to bound the false positive rate.
        non_members_for_power: non-members with which that is likely to succeed at `true_fpr`; null
            if a million are too few.
        members: members needed to bound the true positive rate.
        control_names: control names per person; null if an audit's maximum is too few.
        images: images per person; null if too many are needed.
        groups: how likely a group of people from one source is found.
        personas: how likely planted personas are found, by photos of each.
        leak: the people needed to detect a leak.
        canaries: canaries that give the bound in 80% of audits; null if no bound is wanted, or no
            number suffices.
    """

    format: Literal["idia-index/plan/1"]
    wanted: Wanted
    non_members: int
    non_members_for_power: int | None
    members: int
    control_names: int | None
    images: int | None
    groups: tuple[GroupPower, ...]
    personas: tuple[PersonaPower, ...]
    leak: LeakPower
    canaries: int | None


def plan(wanted: Wanted) -> Plan:
    """What a claim needs."""
    return Plan(
        format="idia-index/plan/1",
        wanted=wanted,
        non_members=people_needed(wanted.fpr, wanted.errors, wanted.confidence),
        non_members_for_power=non_members_for_power(
            wanted.fpr, wanted.true_fpr, wanted.power, wanted.confidence
        ),
        members=members_needed(wanted.tpr, wanted.margin, wanted.confidence),
        control_names=controls_needed(wanted.subjects, wanted.known, wanted.fdr),
        images=images_needed(wanted.hit_rate, wanted.rival_rate, wanted.confidence, wanted.rivals),
        groups=group_powers(wanted.group, wanted.power),
        personas=persona_powers(wanted.personas, wanted.persona_names),
        leak=leak_power(wanted.leak, wanted.power),
        canaries=None
        if wanted.epsilon is None
        else canaries_needed(
            wanted.epsilon,
            wanted.guess_accuracy,
            wanted.guess_share,
            wanted.delta,
            wanted.confidence,
        ),
    )

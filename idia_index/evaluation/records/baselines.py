"""What can be told without matching a face to its name."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.records.rates import Interval, Share


@dataclass(frozen=True)
class BaselineRow:
    """A blind baseline against the attack.

    Attributes:
        baseline: its key.
        title: its name in words.
        what: its name, and what it looks at.
        auc: with the better sign where it has no direction of its own.
        auc_ci99: its 99% confidence interval (Newcombe's method 5).
        share_of_advantage: its advantage over chance as a share of the attack's.
        fires: whether it is surely above chance and near the attack.
    """

    baseline: str
    title: str
    what: str
    auc: float
    auc_ci99: Interval
    share_of_advantage: float | None
    fires: bool


@dataclass(frozen=True)
class RuleShare(Share):
    """How often the rule associates a name with images of somebody else.

    Attributes:
        what: which names and images.
    """

    what: str


@dataclass(frozen=True)
class NameSwap(RuleShare):
    """The same for every pair of a non-member's images and another subject's name.

    Attributes:
        non_members_with_any: non-members whose images are associated with any of the names.
    """

    non_members_with_any: int


@dataclass(frozen=True)
class RuleWithoutFaces:
    """The plain rule on the wrong faces."""

    name_swap: NameSwap
    shuffled_members: RuleShare
    shuffled_non_members: RuleShare

    def rows(self) -> tuple[RuleShare, ...]:
        """All of them, as tables show them."""
        return self.name_swap, self.shuffled_members, self.shuffled_non_members


@dataclass(frozen=True)
class Baselines:
    """What can be told without matching a face to its name.

    Attributes:
        attack_auc: the better AUC of the attack.
        gate: whether a baseline fires, so that rates say nothing of faces.
        near: share of the attack's advantage from which a baseline comes near it.
        fewest: members, and non-members, that it takes.
        alarm_errors: standard errors that a baseline must be above chance.
        learned_alarm_errors: the same of one that is learned on other people.
        shifts: derangements that shuffled images are the mean of.
        rows: the baselines.
        largest_leak: the largest AUC of a leak without a model that is not excluded (99%); null
            where nothing was tried.
        rule: the plain rule on the wrong faces; null where it was not tried.
        omitted: why it was not.
    """

    attack_auc: float
    gate: bool
    near: float
    fewest: int
    alarm_errors: float
    learned_alarm_errors: float
    shifts: int
    rows: tuple[BaselineRow, ...]
    largest_leak: float | None
    rule: RuleWithoutFaces | None
    omitted: str | None

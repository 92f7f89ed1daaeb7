"""How far rates and verdicts depend on settings."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.evaluation.records.rates import Floats


@dataclass(frozen=True)
class Firmness:
    """How far one verdict depends on tau, images, templates and candidates.

    Attributes:
        holds_up_to_tau: the largest tau for which the subject is inferred to be a member.
        inferred_share_by_images: share of draws inferred to be a member, by number of images.
        firm_from_images: number of images from which 95% of draws give the verdict of all images.
        inferred_share_by_templates: chance of being inferred a member, by number of templates.
        correct_prompts_by_pool: correct prompts among all candidates and in each smaller pool.
        holds_in_every_pool: whether the verdict is the same in all of them.
    """

    holds_up_to_tau: int | None
    inferred_share_by_images: Floats
    firm_from_images: int | None
    inferred_share_by_templates: Floats
    correct_prompts_by_pool: tuple[int, ...]
    holds_in_every_pool: bool


@dataclass(frozen=True)
class TauByImages:
    """Rates [tau][number of images], means over draws; null where nobody counts for one."""

    tpr: tuple[Floats, ...] | None
    fpr: tuple[Floats, ...] | None


@dataclass(frozen=True)
class ByTemplates:
    """Rates with fewer templates.

    Attributes:
        counts: numbers of templates.
        tpr, fpr: the rate with each; null where nobody counts for it.
    """

    counts: tuple[int, ...]
    tpr: Floats | None
    fpr: Floats | None


@dataclass(frozen=True)
class ByPools:
    """Rates with fewer candidates.

    Attributes:
        sizes: numbers of candidates.
        unknown: share of predictions that the search did not reach.
        tpr, fpr: the rate with each; null where nobody counts for it.
    """

    sizes: tuple[int, ...]
    unknown: Floats
    tpr: Floats | None
    fpr: Floats | None


@dataclass(frozen=True)
class Sensitivity:
    """How far rates depend on tau, images, templates and candidates.

    Attributes:
        taus: all tau.
        sizes: numbers of attack images.
    """

    taus: tuple[int, ...]
    sizes: tuple[int, ...]
    tau_by_images: TauByImages
    templates: ByTemplates
    pools: ByPools

"""The one way in which numbers, rates and intervals are written, on terminal and page alike."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.records.curves import RateCurve
from idia_index.evaluation.records.rates import Share
from idia_index.support.text import counted

CI = "95% CI"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for none."""
    if value is None:
        return "-"
    text = f"{100 * value:.{digits}f}%"
    return text.removeprefix("-") if not text.strip("-0.%") else text  # no "-0.0%"


def interval(bounds: Sequence[float] | None, digits: int = 1) -> str:
    """An interval of shares; empty for none."""
    if bounds is None:
        return ""
    return f"{percent(bounds[0], digits)} to {percent(bounds[1], digits)}"


def confidence(bounds: Sequence[float] | None) -> str:
    """A 95% confidence interval of a share, named as such; empty for none."""
    return f"{CI} {interval(bounds)}" if bounds is not None else ""


def share_text(share: Share, things: str = "") -> str:
    """A share with what it is of and its interval, or a dash where it is of nobody."""
    if share.rate is None:
        return "-"
    of = f"{share.hits:,} of {share.total:,}{' ' if things else ''}{things}"
    return f"{percent(share.rate):>6}  ({of}; {confidence(share.ci95)})"


def auc(value: float, bounds: Sequence[float] | None = None) -> str:
    """An area under a ROC curve, with its interval if given."""
    return f"{value:.3f}" + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")


def p_value(p: float) -> str:
    """A p-value to two significant digits."""
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}"


def mean_over_draws(curve: RateCurve, place: int) -> str:
    """A rate with one number of images: mean, interval, and standard deviation between draws."""
    bounds = interval((curve.ci95_low[place], curve.ci95_high[place]))
    return f"{percent(curve.mean[place])} ({bounds}; {percent(curve.sd[place])})"


def needed(non_members: int, wanted: int) -> str:
    """Why a rate cannot be estimated."""
    return f"not estimable: {counted(non_members, 'non-member')}, {wanted:,} are needed"

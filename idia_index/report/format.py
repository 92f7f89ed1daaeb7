"""Formats numbers, rates and intervals, alike on terminal and page."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.likelihood import CountCalibration, CountRatio
from idia_index.evaluation.records.curves import BinRates, RateCurve
from idia_index.evaluation.records.rates import Share
from idia_index.report.language import _, figure, ngettext, number

CI = "95% CI"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for none."""
    if value is None:
        return "-"
    text = f"{100 * value:.{digits}f}%"
    return figure(text.removeprefix("-") if not text.strip("-0.%") else text)  # no "-0.0%"


def interval(bounds: Sequence[float] | None, digits: int = 1) -> str:
    """An interval of shares; empty for none."""
    if bounds is None:
        return ""
    return spread(percent(bounds[0], digits), percent(bounds[1], digits))


def spread(low: str, high: str) -> str:
    """From one number to another."""
    return _("{low} to {high}").format(low=low, high=high)


def bin_label(entry: BinRates | CountCalibration | CountRatio) -> str:
    """A range of training counts."""
    if entry.high is None:
        return _("{low} or more").format(low=number(entry.low))
    return between(entry.low, entry.high - 1)


def between(low: int, high: int) -> str:
    """A range of integers, or the single one if both are equal."""
    return number(low) if low == high else spread(number(low), number(high))


def hits_of(hits: int, total: int) -> str:
    """A count of a total."""
    return _("{hits} of {total}").format(hits=number(hits), total=number(total))


def confidence(bounds: Sequence[float] | None) -> str:
    """A labelled 95% confidence interval of a share; empty for none."""
    return "" if bounds is None else _("95% CI") + f" {interval(bounds)}"


def share_text(share: Share, things: str = "") -> str:
    """A share with its counts and interval; a dash if it is of nobody."""
    if share.rate is None:
        return "-"
    of = f"{hits_of(share.hits, share.total)}{' ' if things else ''}{things}"
    return f"{percent(share.rate):>6}  ({of}; {confidence(share.ci95)})"


def auc(value: float, bounds: Sequence[float] | None = None) -> str:
    """An area under a ROC curve, with its interval if given."""
    if bounds is None:
        return figure(f"{value:.3f}")
    return f"{auc(value)} ({spread(*map(auc, bounds))})"


def p_value(p: float) -> str:
    """A p-value to two significant digits."""
    return figure(f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}")


def mean_over_draws(curve: RateCurve, place: int) -> str:
    """A rate for one number of images: mean, interval, and standard deviation between draws."""
    bounds = interval((curve.ci95_low[place], curve.ci95_high[place]))
    return f"{percent(curve.mean[place])} ({bounds}; {percent(curve.sd[place])})"


def needed(non_members: int, wanted: int) -> str:
    """Why a rate cannot be estimated."""
    return ngettext(
        "not estimable: {n} non-member, {wanted} are needed",
        "not estimable: {n} non-members, {wanted} are needed",
        non_members,
    ).replace("{wanted}", number(wanted))

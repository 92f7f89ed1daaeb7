"""Draws figures as SVG with matplotlib (extra `report`); pages without it show only tables.

Figures work in greyscale and for colour-blind readers: lines also differ in dashes and markers,
colours are those of Okabe & Ito, maps use cividis.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from idia_index.errors import MissingExtraError
from idia_index.evaluation.records.curves import BinRates, Curves, Rocs
from idia_index.evaluation.records.sensitivity import Sensitivity
from idia_index.report.format import auc, bin_label
from idia_index.report.language import _, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
_STYLE: dict[str, object] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "path",
    # Reproducible bytes.
    "svg.hashsalt": "idia-index",
}


def check_matplotlib() -> None:
    """Raises MissingExtraError if figures cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the figures of a report", "matplotlib", "report") from error


@contextmanager
def new_axes(width: float, height: float, panels: int = 1) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of a size in inches with its panels side by side, in the common style."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as NewFigure

    with rc_context(_STYLE):  # type: ignore[arg-type]
        figure = NewFigure(figsize=(width, height), layout="constrained")
        axes = [figure.add_subplot(1, panels, number + 1) for number in range(panels)]
        yield figure, axes


def as_uri(figure: Figure) -> str:
    """The figure, rendered, as a data URI of an SVG."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    encoded = base64.b64encode(out.getvalue().encode("utf-8")).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def percent_axis(axes: Axes, which: str = "y") -> None:
    """Labels an axis in percent."""
    from matplotlib.ticker import PercentFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(PercentFormatter(1.0))


def rates_by_images(curves: Curves) -> str:
    """Figure 4: TPR, FPR and accuracy against the number of attack images, mean and band."""
    from matplotlib.ticker import MaxNLocator

    with new_axes(4.8, 3.4) as (figure, (axes,)):
        lines = (
            (curves.tpr, _("true positives"), BLUE, "-", "o"),
            (curves.accuracy, _("accuracy"), GREEN, "--", "^"),
            (curves.fpr, _("false positives"), ORANGE, ":", "s"),
        )
        for curve, label, colour, dash, marker in lines:
            if curve is None:
                continue
            low = [max(0.0, m - s) for m, s in zip(curve.mean, curve.sd, strict=True)]
            high = [min(1.0, m + s) for m, s in zip(curve.mean, curve.sd, strict=True)]
            axes.plot(curves.sizes, curve.mean, dash, color=colour, marker=marker,
                      markersize=4, label=label)  # fmt: skip
            axes.fill_between(curves.sizes, low, high, color=colour, alpha=0.35, linewidth=0)
            axes.fill_between(curves.sizes, curve.ci95_low, curve.ci95_high,
                              color=colour, alpha=0.13, linewidth=0)  # fmt: skip
        axes.set(
            xlabel=_("attack images per person"), ylabel=_("share of people"), ylim=(-0.02, 1.02)
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        percent_axis(axes)
        figure.legend(loc="outside upper center", ncols=3, fontsize=9)
        return as_uri(figure)


def rates_by_bin(bins: Sequence[BinRates]) -> str:
    """Figure 5: TPR by training frequency with all attack images."""
    with new_axes(4.8, 3.4) as (figure, (axes,)):
        places = list(range(len(bins)))
        means = [entry.tpr.mean[-1] for entry in bins]
        low = [m - min(m, e.tpr.ci95_low[-1]) for m, e in zip(means, bins, strict=True)]
        high = [max(m, e.tpr.ci95_high[-1]) - m for m, e in zip(means, bins, strict=True)]
        axes.bar(places, means, color="#9cc3de", edgecolor=BLUE)
        axes.errorbar(places, means, yerr=[low, high], fmt="none", ecolor="black", capsize=3)
        axes.set_xticks(places, [bin_label(entry) for entry in bins])
        if len(bins) > 7:
            axes.tick_params(axis="x", rotation=60)
        axes.set(
            xlabel=_("training images with the name"), ylabel=_("members found"), ylim=(0, 1.02)
        )
        axes.grid(visible=False, axis="x")
        percent_axis(axes)
        return as_uri(figure)


def draw_map(axes: Axes, rows: Sequence[Sequence[float]], columns: Sequence[object],
         labels: Sequence[object], top: float) -> AxesImage:  # fmt: skip
    """Draws a map of rows of numbers from 0 to `top`, with ticks for some of the labels."""
    image = axes.imshow(rows, aspect="auto", cmap="cividis", vmin=0, vmax=top, origin="lower")
    shown = range(0, len(columns), max(1, len(columns) // 6))
    axes.set_xticks(list(shown), [str(columns[i]) for i in shown])
    step = max(1, len(labels) // 8)
    axes.set_yticks(list(range(0, len(labels), step)), [str(label) for label in labels[::step]])
    axes.grid(visible=False)
    return image


def heat_map(bins: Sequence[BinRates], sizes: Sequence[int]) -> str:
    """The heat map: TPR by training frequency and number of attack images."""
    from matplotlib.ticker import PercentFormatter

    with new_axes(4.8, 3.4) as (figure, (axes,)):
        rows = [entry.tpr.mean for entry in bins]
        image = draw_map(axes, rows, sizes, [bin_label(entry) for entry in bins], 1.0)
        axes.set(xlabel=_("attack images per person"), ylabel=_("training images with the name"))
        figure.colorbar(image, ax=axes, format=PercentFormatter(1.0), label=_("members found"))
        return as_uri(figure)


def roc_curves(roc: Rocs, non_members: int) -> str:
    """ROC on a log scale of FPR, down to the share of a single non-member."""
    with new_axes(4.8, 3.4) as (figure, (axes,)):
        least = 0.5 / non_members
        for score, label, colour, dash in (
            (roc.margin, _("margin"), BLUE, "-"),
            (roc.correct_prompts, _("correct prompts"), ORANGE, "--"),
            (roc.pmi, "PMI", GREEN, "-."),
        ):
            if score is None:
                continue
            fpr = [max(value, least) for value in score.fpr]
            text = f"{label} (AUC {auc(score.auc)})"
            axes.step(fpr, score.tpr, dash, where="post", color=colour, label=text)
        grid = [least * (1 / least) ** (i / 100) for i in range(101)]
        axes.plot(grid, grid, ":", color=GREY, label=_("chance"))
        axes.set(xscale="log", xlim=(least, 1), ylim=(0, 1.02))
        axes.set(xlabel=_("false positive rate (log scale)"), ylabel=_("true positive rate"))
        percent_axis(axes, "x")
        percent_axis(axes)
        figure.legend(loc="outside upper center", ncols=2, fontsize=9)
        return as_uri(figure)


def sensitivity_surface(
    sensitivity: Sensitivity, rows: Sequence[Sequence[float]], label: str
) -> str:
    """A rate for every tau and number of attack images."""
    from matplotlib.ticker import PercentFormatter

    top = max(max(row) for row in rows) or 1.0
    with new_axes(4.8, 3.2) as (figure, (axes,)):
        image = draw_map(axes, rows, sensitivity.sizes, sensitivity.taus, top)
        axes.set(xlabel=_("attack images per person"), ylabel=_("tau"))
        digits = 0 if top > 0.2 else 1
        figure.colorbar(image, ax=axes, format=PercentFormatter(1.0, digits), label=label)
        return as_uri(figure)


def templates_and_pools(sensitivity: Sensitivity) -> str:
    """Rates with fewer templates, and with a smaller pool of candidates."""
    with new_axes(6.4, 3.2, panels=2) as (figure, (left, right)):
        templates, pools = sensitivity.templates, sensitivity.pools
        for axes, part, places, label in (
            (left, templates, templates.counts, _("templates")),
            (right, pools, pools.sizes, _("candidate names")),
        ):
            for rates, text, colour, dash, marker in (
                (part.tpr, _("true positives"), BLUE, "-", "o"),
                (part.fpr, _("false positives"), ORANGE, ":", "s"),
            ):
                if rates is not None:
                    axes.plot(places, rates, dash, color=colour, marker=marker,
                              markersize=4, label=text)  # fmt: skip
            axes.set(xlabel=label, ylim=(-0.02, 1.02))
            percent_axis(axes)
        if len(pools.sizes) > 1:
            right.set_xscale("log")
            right.set_xticks(pools.sizes, [number(size) for size in pools.sizes])
            right.minorticks_off()
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9)
        return as_uri(figure)


def p_values(groups: Mapping[str, Sequence[float]]) -> str:
    """Histogram of p-values by group; dotted: the uniform level, if names mean nothing."""
    colours = (BLUE, "#f2b48a", "white")
    with new_axes(4.8, 3.4) as (figure, (axes,)):
        axes.hist(
            list(groups.values()),
            bins=10,
            range=(0, 1),
            weights=[[1 / len(values)] * len(values) for values in groups.values()],
            color=list(colours[: len(groups)]),  # a tuple of two may be a colour and its alpha
            edgecolor="black",
            linewidth=0.6,
            label=list(groups),
        )
        axes.set(xlabel=_("p-value"), ylabel=_("share of each group"), xlim=(0, 1))
        axes.axhline(0.1, color="black", linestyle=":", linewidth=1)
        percent_axis(axes)
        figure.legend(loc="outside upper center", ncols=3, fontsize=9)
        return as_uri(figure)

"""Draws figures of a study as SVG: the paper's figures 4 and 5, heat maps, training counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idia_index.report.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    as_uri,
    draw_map,
    new_axes,
    percent_axis,
)
from idia_index.report.studies.documents import HistogramBin, ModelResult

FEWEST = 3  # the paper's figure 4 starts at this number of attack images
_RATES = (
    ("tpr", "TPR", BLUE, "-", "o"), ("fnr", "FNR", BLUE, ":", "o"),
    ("fpr", "FPR", ORANGE, "-", "s"), ("tnr", "TNR", ORANGE, ":", "s"),
    ("accuracy", "accuracy", GREEN, "--", "^"),
)  # fmt: skip
_LINES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"), (GREY, "-.", "D"))


def rates_by_images(model: ModelResult) -> str:
    """Figure 4 of one model: five rates by number of attack images; bands: deviation over draws."""
    from matplotlib.ticker import MaxNLocator

    curves = model.curves
    shown = [i for i, size in enumerate(curves.sizes) if size >= FEWEST]
    shown = shown or list(range(len(curves.sizes)))
    sizes = [curves.sizes[i] for i in shown]
    with new_axes(3.6, 3.3) as (figure, (axes,)):
        for key, label, colour, dash, marker in _RATES:
            if (curve := getattr(curves, key)) is None:
                continue
            mean, sd = ([values[i] for i in shown] for values in (curve.mean, curve.sd))
            axes.plot(sizes, mean, dash, color=colour, marker=marker, markersize=3, label=label)
            low = [max(0.0, m - s) for m, s in zip(mean, sd, strict=True)]
            high = [min(1.0, m + s) for m, s in zip(mean, sd, strict=True)]
            axes.fill_between(sizes, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.set(xlabel="attack images per person", ylabel="share of people", ylim=(-0.02, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        percent_axis(axes)
        figure.legend(loc="outside upper center", ncols=5, fontsize=7, columnspacing=0.9,
                      handlelength=1.6)  # fmt: skip
        return as_uri(figure)


Point = tuple[float, float, float]
"""A rate and the ends of its interval."""


def members_found(
    lines: Mapping[str, Mapping[str, Point]], labels: Sequence[str], what: str
) -> str:
    """Figure 5: TPR with intervals, a line per model or group.

    Args:
        lines: points by the line's name and the point's label.
        labels: of the points, in order: bins, or training counts.
        what: the axis of the labels.
    """
    with new_axes(5.4, 3.6) as (figure, (axes,)):
        for number, (name, points) in enumerate(lines.items()):
            colour, dash, marker = _LINES[number % len(_LINES)]
            shift = 0.07 * (number - (len(lines) - 1) / 2)
            places = [labels.index(label) + shift for label in points]
            means = [mean for mean, _, _ in points.values()]
            ends = [[mean - min(mean, low) for mean, low, _ in points.values()],
                    [max(mean, high) - mean for mean, _, high in points.values()]]  # fmt: skip
            axes.errorbar(places, means, yerr=ends, fmt=dash, color=colour, marker=marker,
                          markersize=4, capsize=2, elinewidth=0.8, label=name or None)  # fmt: skip
        axes.set_xticks(range(len(labels)), list(labels))
        if len(labels) > 7:
            axes.tick_params(axis="x", rotation=45)
        axes.set(xlabel=what, ylabel="members found", ylim=(-0.02, 1.02))
        percent_axis(axes)
        if any(lines):
            figure.legend(loc="outside upper center", ncols=3, fontsize=9)
        return as_uri(figure)


def heat_map(
    rows: Sequence[Sequence[float]], sizes: Sequence[int], labels: Sequence[str], what: str
) -> str:
    """TPR by training images (rows) and number of attack images (columns)."""
    from matplotlib.ticker import PercentFormatter

    with new_axes(3.9, 3.3) as (figure, (axes,)):
        image = draw_map(axes, rows, sizes, labels, 1.0)
        axes.set_yticks(range(len(labels)), list(labels), fontsize=8)
        axes.set(xlabel="attack images per person", ylabel=what)
        figure.colorbar(image, ax=axes, format=PercentFormatter(1.0), label="members found")
        return as_uri(figure)


def training_counts(bins: Sequence[HistogramBin]) -> str:
    """Histogram of people by training images, in the study and evaluated here."""
    with new_axes(5.4, 3.2) as (figure, (axes,)):
        places: list[Any] = list(range(len(bins)))
        axes.bar(places, [b.people for b in bins], color="white", edgecolor="black",
                 label="in the study")  # fmt: skip
        axes.bar(places, [b.evaluated for b in bins], color="#9cc3de", edgecolor=BLUE,
                 label="evaluated")  # fmt: skip
        axes.set_xticks(places, [b.label for b in bins])
        axes.tick_params(axis="x", rotation=45)
        axes.set(xlabel="training images", ylabel="people")
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=2, fontsize=9)
        return as_uri(figure)

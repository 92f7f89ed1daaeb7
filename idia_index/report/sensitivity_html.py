"""What the verdicts depend on: tau, images, templates, candidates."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from idia_index.report import figures as draw
from idia_index.report.markup import percent, table
from idia_index.report.truth_html import figure_html, numbers_html


def sensitivity_html(sensitivity: dict[str, Any], *, figures: bool) -> str:
    """Rates for other tau, images, templates and pools."""
    rates = [(key, text) for key, text in (("tpr", "members found"),
                                           ("fpr", "non-members taken for members"))
             if key in sensitivity["tau_by_images"]]  # fmt: skip
    if not rates:
        return ""
    shown = [
        figure_html(
            lambda key=key, text=text: draw.sensitivity_surface(  # type: ignore[misc]
                sensitivity, key, text
            ),
            f"Map of the share of {text} for every tau and number of images; numbers below",
            f"Share of {text}, for every tau and number of attack images.",
        )
        for key, text in rates
        if figures
    ]
    if figures:
        shown.append(figure_html(lambda: draw.templates_and_pools(sensitivity),
                             "Two line charts; their numbers stand in the tables below",
                             "With fewer templates (left) or candidates (right)."))  # fmt: skip
    surfaces = "".join(_surface_table(sensitivity, key, text) for key, text in rates)
    parts = [
        "<h2>What the verdicts depend on</h2>",
        f'<div class="figures">{"".join(shown)}</div>' if shown else "",
        _part_table("templates", sensitivity["templates"], "counts", rates),
        _part_table("candidate names", sensitivity["pools"], "sizes", rates),
        numbers_html(surfaces, figures=figures),
    ]
    return "".join(parts)


def _part_table(what: str, part: dict[str, Any], key: str, rates: Sequence[tuple[str, str]]) -> str:
    columns = [(what, ""), *((f"{place:,}", "n") for place in part[key])]
    rows = [[escape(text), *(percent(v) for v in part[name])] for name, text in rates]
    if any(part.get("unknown", ())):
        rows.append(["predictions not known", *(percent(v, 2) for v in part["unknown"])])
    return table(columns, rows)


def _surface_table(sensitivity: dict[str, Any], key: str, text: str) -> str:
    columns = [("tau", "n"), *((str(size), "n") for size in sensitivity["sizes"])]
    rows = (
        [str(tau), *(f"{100 * value:.1f}" for value in row)]
        for tau, row in zip(sensitivity["taus"], sensitivity["tau_by_images"][key], strict=True)
    )
    return table(columns, rows, caption=f"{text} in%, by number of attack images")

"""Sections that need known truth, draws or control names: rates, curves, ROC, checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from idia_index.report import figures as draw
from idia_index.report.markup import (
    bar,
    interval,
    p_text,
    paragraph,
    percent,
    table,
)
from idia_index.report.text import uniform_text
from idia_index.support.text import counted

RATE_COLUMNS = [("", "l"), ("people", "n"), ("rate", "n"), ("95% interval", "n"), ("", "l")]


def figure_html(make: Callable[[], str], alt: str, caption: str) -> str:
    return (
        f'<figure><img alt="{escape(alt)}" src="{make()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def numbers_html(content: str, *, figures: bool) -> str:
    """A table of numbers: open without figures, else folded below them."""
    if not figures:
        return content
    return f'<details class="screen"><summary>Numbers</summary>{content}</details>'


def _rate_row(name: str, hits: int, total: int, bounds: Sequence[float] | None) -> list[str]:
    value = hits / total if total else None
    return [
        escape(name),
        f"{hits} of {total}",
        percent(value),
        interval(bounds),
        bar(value, bounds),
    ]


def rates_html(data: dict[str, Any]) -> str:
    """Confusion matrix and rates with all images."""
    metrics = data["metrics"]
    if metrics is None:
        return ""
    tp, fn, fp, tn = (metrics[key] for key in ("tp", "fn", "fp", "tn"))
    matrix = table(
        [("", ""), ("associated", "n"), ("not associated", "n")],
        [["members", f"{tp}", f"{fn}"], ["non-members", f"{fp}", f"{tn}"]],
        caption="Confusion matrix, all images",
    )
    rows = [
        _rate_row("Members found (TPR)", tp, tp + fn, metrics["tpr_ci95"]),
        _rate_row("Non-members taken for members (FPR)", fp, fp + tn, metrics["fpr_ci95"]),
    ]
    rows += [
        _rate_row(
            f"Members with {counted(entry['training_count'], 'training image')}",
            entry["inferred_members"], entry["people"], entry["tpr_ci95"],
        )
        for entry in metrics["by_training_count"][:12]
        if entry["training_count"] is not None and len(metrics["by_training_count"]) <= 12
    ]  # fmt: skip
    return (
        "<h2>Rates where the truth is known</h2>"
        + paragraph("Intervals are exact (Clopper-Pearson, two-sided).", "small")
        + table(RATE_COLUMNS, rows, kind="wide")
        + matrix
    )


def curves_html(evaluation: dict[str, Any], *, figures: bool) -> str:
    """Figure 4, figure 5 and the heat map."""
    curves, bins = evaluation["curves"], evaluation["bins"]
    if curves["tpr"] is None and curves["fpr"] is None:
        return ""
    parts = ["<h2>How many images, and how many training images</h2>"]
    parts.append(
        paragraph(
            f"Means of {curves['draws']} draws of each number of images. Dark bands: standard "
            "deviation over draws; light bands and whiskers: 95% intervals bootstrapped over "
            "people.",
            "small",
        )
    )
    if figures:
        shown = [figure_html(lambda: draw.rates_by_images(curves), _curve_alt(curves),
                         "Rates against the number of attack images.")]  # fmt: skip
        if bins:
            last = curves["sizes"][-1]
            shown += [
                figure_html(lambda: draw.rates_by_bin(bins), _bins_alt(bins),
                        f"Members found by training frequency, {counted(last, 'attack image')}."),
                figure_html(lambda: draw.heat_map(bins, curves["sizes"]),
                        "Heat map; its numbers stand in the table below.",
                        "Members found by training frequency and number of attack images."),
            ]  # fmt: skip
        parts.append(f'<div class="figures">{"".join(shown)}</div>')
    parts.append(numbers_html(_curve_table(curves) + _bin_table(curves, bins), figures=figures))
    return "".join(parts)


def _curve_alt(curves: dict[str, Any]) -> str:
    said = []
    for key, text in (("tpr", "true positive rate"), ("fpr", "false positive rate")):
        if curves[key] is not None:
            first, last = curves[key]["mean"][0], curves[key]["mean"][-1]
            said.append(
                f"{text} {percent(first)} with {curves['sizes'][0]} and {percent(last)} with "
                f"{counted(curves['sizes'][-1], 'image')}"
            )
    return "Line chart: " + "; ".join(said)


def _bins_alt(bins: Sequence[dict[str, Any]]) -> str:
    said = [f"{entry['label']}: {percent(entry['tpr']['mean'][-1])}" for entry in bins]
    return "Bar chart of members found by training images: " + ", ".join(said)


def _curve_table(curves: dict[str, Any]) -> str:
    shown = [
        (key, text)
        for key, text in (("tpr", "TPR"), ("fnr", "FNR"), ("fpr", "FPR"), ("tnr", "TNR"),
                          ("accuracy", "accuracy"))
        if curves[key] is not None
    ]  # fmt: skip
    rows = []
    for place, size in enumerate(curves["sizes"]):
        cells = [str(size)]
        for key, _ in shown:
            curve = curves[key]
            cells.append(f"{percent(curve['mean'][place])} &plusmn; {100 * curve['sd'][place]:.1f}")
        rows.append(cells)
    columns = [("images", "n"), *((text, "n") for _, text in shown)]
    return table(columns, rows, caption="Mean and standard deviation over draws")


def _bin_table(curves: dict[str, Any], bins: Sequence[dict[str, Any]]) -> str:
    if not bins:
        return ""
    columns = [("training images", ""), ("members", "n")]
    columns += [(str(size), "n") for size in curves["sizes"]]
    rows = (
        [escape(entry["label"]), str(entry["tpr"]["people"])]
        + [f"{100 * value:.0f}" for value in entry["tpr"]["mean"]]
        for entry in bins
    )
    return table(columns, rows, caption="Members found in%, by number of attack images")


def roc_html(evaluation: dict[str, Any], *, figures: bool) -> str:
    """ROC, and TPR at low FPR where it can be estimated."""
    roc = evaluation["roc"]
    if roc is None:
        return ""
    non_members = evaluation["people"]["non_members"]
    rows = []
    for key, label in (("correct_prompts", "correct prompts"), ("margin", "margin of similarity")):
        entry = roc[key]
        cells = [label, f"{entry['auc']:.3f} ({_plain(entry['auc_ci95'])})"]
        rows.append([*cells, *(_at_low(low) for low in entry["at_low_fpr"])])
    columns = [("score", ""), ("AUC (95% interval)", ""), ("TPR at 1% FPR", ""),
               ("TPR at 0.1% FPR", "")]  # fmt: skip
    chart = ""
    if figures:
        alt = f"ROC curves; the area under the margin's curve is {roc['margin']['auc']:.3f}"
        chart = figure_html(lambda: draw.roc_curves(roc, non_members), alt,
                        "ROC of the two scores, false positive rate on a log scale.")  # fmt: skip
        chart = f'<div class="figures">{chart}</div>'
    told = (
        "The margin is the mean similarity of the images to the true name minus that to the best "
        "other candidate. A TPR at a low FPR is given where the non-members, without any false "
        "positive, would bound the FPR by that rate (one-sided 95%)."
    )
    heading = "<h2>Other thresholds</h2>"
    return heading + paragraph(told, "small") + chart + table(columns, rows)


def _plain(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _at_low(low: dict[str, Any]) -> str:
    if not low["estimable"]:
        return (
            f"not estimable: {counted(low['non_members'], 'non-member')}, "
            f"{low['non_members_needed']:,} are needed"
        )
    return (
        f"{percent(low['tpr'])} ({interval(low['tpr_ci95'])}); with the FPR assured: "
        f"{percent(low['assured_tpr'])}"
    )


def baselines_html(baselines: dict[str, Any] | None) -> str:
    """What can be told without faces."""
    if baselines is None:
        return ""
    rows = [
        [
            escape(row["what"]),
            f"{row['auc']:.3f} ({_plain(row['auc_ci99'])})",
            "-" if row["share_of_advantage"] is None else percent(row["share_of_advantage"], 0),
            "yes" if row["fires"] else "no",
        ]
        for row in baselines["rows"]
    ]
    rule = [
        [escape(entry["what"]), f"{entry['hits']:,} of {entry['total']:,}", percent(entry["rate"]),
         interval(entry["ci95"])]
        for entry in (baselines["rule"] or {}).values()
    ]  # fmt: skip
    told = (
        f"The attack's AUC is {baselines['attack_auc']:.3f}. A baseline raises the alarm if it is "
        f"above chance (99% interval) and has {percent(baselines['near'], 0)} or more of the "
        f"attack's advantage over chance; it takes {baselines['fewest']} members and as many "
        "non-members."
    )
    columns = [("without a face under its name", "l"), ("AUC (99% interval)", "n"),
               ("of the advantage", "n"), ("alarm", "")]  # fmt: skip
    rates = [("the plain rule on the wrong faces", "l"), ("associated", "n"), ("rate", "n"),
             ("95% interval", "n")]  # fmt: skip
    return (
        "<h2>Is it the faces?</h2>" + paragraph(told, "small")
        + table(columns, rows, kind="wide")
        + (table(rates, rule, kind="wide") if rule else paragraph(baselines["omitted"], "small"))
    )  # fmt: skip


def p_values_html(data: dict[str, Any], *, figures: bool) -> str:
    """How p-values were made, what they assume, and how they are spread."""
    summary, subjects = data["p_values"], data["subjects"]
    matched = "; ".join(f"{text} ({count})" for text, count in summary["matched_on"].items())
    rows = [
        ["people that stand out", f"{summary['discoveries']} of {len(subjects)}"],
        ["of them known members", f"{summary['discoveries_members']}"],
        ["of them known non-members", f"{summary['discoveries_non_members']}"],
        ["control names a person", f"{summary['controls']['fewest']} to "
                                   f"{summary['controls']['most']}"],
        ["matched on", escape(matched)],
        ["chance of a false positive of the plain rule", percent(summary["rule_null"]["rate"], 2)],
    ]  # fmt: skip
    uniform = summary["non_members_uniform"]
    told = ""
    if uniform:
        told = paragraph(uniform_text(uniform), "note")
        rows.append(["non-members' p-values against the uniform (Kolmogorov-Smirnov)",
                     f"distance {uniform['ks_distance']:.3f}, p = "
                     f"{p_text(uniform['ks_p_value'])}"])  # fmt: skip
    chart = ""
    groups = {
        label: [s["p_value"] for s in subjects if s["membership"] == role]
        for label, role in (("members", "member"), ("non-members", "non_member"),
                            ("not known", None))
    }  # fmt: skip
    groups = {label: values for label, values in groups.items() if values}
    if figures and len(subjects) >= 20:
        alt = "Histogram of p-values: " + ", ".join(
            f"{sum(p <= 0.05 for p in values)} of {len(values)} {label} at or below 0.05"
            for label, values in groups.items()
        )
        chart = figure_html(lambda: draw.p_values(groups), alt, "P-values; without an association "
                        "they are spread evenly.")  # fmt: skip
        chart = f'<div class="figures">{chart}</div>'
    return (
        "<h2>The true name among control names</h2>"
        + paragraph(summary["score"], "small") + paragraph(summary["assumption"], "note") + chart
        + table([("", "l"), ("", "")], rows,
                caption=f"False discovery rate {percent(summary['fdr'], 0)}")
        + told
    )  # fmt: skip

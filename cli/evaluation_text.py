"""What an evaluation says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idia_index.cli.console import pairs, table, warning_lines
from idia_index.report.text import STAND_OUT, uniform_text
from idia_index.support.text import counted


def evaluation_text(data: dict[str, Any]) -> str:
    """Warnings, rates, curves, checks and notes of an evaluation's data."""
    evaluation = data["evaluation"]
    people = evaluation["people"]
    head = (
        f"{counted(people['evaluated'], 'person', 'people')} "
        f"({counted(people['members'], 'member')}, "
        f"{counted(people['non_members'], 'non-member')}), "
        f"{counted(data['candidates'], 'candidate name')}, tau {data['tau']}"
    )
    blocks = [*warning_lines(data), head, _rates(data)]
    if evaluation["curves"]["tpr"] or evaluation["curves"]["fpr"]:
        blocks.append(_curves(evaluation["curves"]))
    if evaluation["bins"]:
        blocks.append(_bins(evaluation))
    blocks += [_checks(data), "\n".join(f"- {note}" for note in _notes(data))]
    if data["left_out"]:
        were = ("person was", "people were")
        blocks.append(f"{counted(len(data['left_out']), *were)} left out; --json lists all.")
    return "\n\n".join(block for block in blocks if block)


def _notes(data: dict[str, Any]) -> list[str]:
    uniform = data["p_values"]["non_members_uniform"]
    said = [uniform_text(uniform)] if uniform else []
    return [*data["notes"], *(text for text in said if text not in data["warnings"])]


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def _range(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"{_percent(bounds[0])} to {_percent(bounds[1])}"


def _rates(data: dict[str, Any]) -> str:
    metrics = data["metrics"]
    if metrics is None:
        return ""
    tp, fn, fp, tn = (metrics[key] for key in ("tp", "fn", "fp", "tn"))
    rows = {}
    for name, hits, total, key in (
        ("true positive rate", tp, tp + fn, "tpr"),
        ("false positive rate", fp, fp + tn, "fpr"),
    ):
        if total:
            rows[name] = (
                f"{_percent(metrics[key])}  ({hits} of {total}; 95 % CI "
                f"{_range(metrics[key + '_ci95'])})"
            )
    roc = data["evaluation"]["roc"]
    if roc is not None:
        for low in roc["margin"]["at_low_fpr"]:
            rows[f"TPR at {_percent(low['fpr'])} FPR"] = (
                f"{_percent(low['tpr'])}  (by the margin; AUC {roc['margin']['auc']:.3f})"
                if low["estimable"]
                else f"not estimable: {counted(low['non_members'], 'non-member')}, "
                f"{low['non_members_needed']:,} are needed"
            )
    return pairs(rows)


def _curves(curves: dict[str, Any]) -> str:
    shown = [key for key in ("tpr", "fpr", "accuracy") if curves[key] is not None]
    rows = [
        [
            str(size),
            *(
                f"{100 * curves[key]['mean'][i]:.1f} +- {100 * curves[key]['sd'][i]:.1f}"
                for key in shown
            ),
        ]
        for i, size in enumerate(curves["sizes"])
    ]
    return table(["images", *(f"{key} %" for key in shown)], rows)


def _bins(evaluation: dict[str, Any]) -> str:
    last = evaluation["curves"]["sizes"][-1]
    rows = []
    for entry in evaluation["bins"]:
        tpr = entry["tpr"]
        bounds = (tpr["ci95_low"][-1], tpr["ci95_high"][-1])
        rows.append([entry["label"], str(tpr["people"]), _percent(tpr["mean"][-1]),
                     _range(bounds)])  # fmt: skip
    return table(
        ["training images", "people", f"TPR, {counted(last, 'image')}", "95 % interval"], rows
    )


def _checks(data: dict[str, Any]) -> str:
    summary, baselines = data["p_values"], data["evaluation"]["baselines"]
    rows = {
        "p-values": f"{counted(summary['discoveries'], *STAND_OUT)} at a false discovery rate of "
        f"{_percent(summary['fdr'], 0)} (control names: {summary['controls']['fewest']} to "
        f"{summary['controls']['most']} a person)",
        "rule on control names": f"{_percent(summary['rule_null']['rate'], 2)} associated",
    }
    if baselines is not None:
        rows |= {
            row["what"].split(":")[0]: f"AUC {row['auc']:.3f}" + (" ALARM" if row["fires"] else "")
            for row in baselines["rows"]
        }
        rows["the attack"] = f"AUC {baselines['attack_auc']:.3f}"
        rule = baselines["rule"]
        rows["name-swap null"] = (
            baselines["omitted"] if rule is None else _percent(rule["name_swap"]["rate"], 2)
        )
    return pairs(rows)

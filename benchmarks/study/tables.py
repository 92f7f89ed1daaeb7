"""Print figures of evaluate.py as the tables of docs/controlled-study.md.

python benchmarks/study/tables.py benchmarks/study/figures/*.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COUNTS = ("1", "2", "5", "10", "25", "75")


def percent(x: float) -> str:
    return f"{100 * x:.1f}"


def with_interval(row: dict[str, Any]) -> str:
    low, high = row["ci95"]
    return f"{row['hits']}/{row['of']} = {row['rate']:.2f} [{low:.2f}, {high:.2f}]"


def seeds_table(figures: list[dict[str, Any]]) -> list[str]:
    """One row a seed and attack set: TPR by training count, FPR, the name-swap null."""
    head = ["seed", "attack set", *[f"TPR {n}" for n in COUNTS], "TPR 25+75", "filler", "FPR %"]
    lines = ["| " + " | ".join([*head, "name-swap %"]) + " |", "|" + " --- |" * (len(head) + 1)]
    for f in figures:
        r = f["rates"]
        fpr = r["non_member"]
        cells = [
            str(f["seed"]),
            f["attack_set"],
            *[f"{r[f'member_{n}']['rate']:.2f}" for n in COUNTS],
        ]
        cells += [f"{r['member_25_75']['rate']:.3f}", f"{r['filler']['rate']:.3f}"]
        cells += [f"{percent(fpr['rate'])} ({fpr['hits']}/{fpr['of']})"]
        lines.append("| " + " | ".join([*cells, percent(f["name_swap_null"]["all"])]) + " |")
    return lines


def full_table(f: dict[str, Any]) -> list[str]:
    """Every group of one evaluation with its interval and, for members, the name-swap null."""
    order = [f"member_{n}" for n in COUNTS]
    order += ["member_25_75", "filler", "face_only", "name_only", "non_member"]
    lines = ["| group | identified [95 %] | name-swap null % |", "| --- | --- | --- |"]
    for name in order:
        null = f["name_swap_null"].get(name.removeprefix("member_"))
        shown = "" if null is None else percent(null)
        row = f["rates"][name]
        text = with_interval(row)
        if name == "non_member":
            low, high = row["ci95"]
            text = f"{row['hits']}/{row['of']} = {row['rate']:.4f} [{low:.4f}, {high:.4f}]"
        lines.append(f"| {name} | {text} | {shown} |")
    return lines


def share_table(f: dict[str, Any]) -> list[str]:
    """Where the predictions on non-members' images fall, against an even spread over names."""
    lines = ["| names of | predictions % | even spread % | all tokens trained % |"]
    lines.append("| --- | --- | --- | --- |")
    for role, row in f["non_member_predictions"].items():
        trained = percent(f["all_tokens_trained"][role])
        cells = (role, percent(row["share"]), percent(row["uniform"]), trained)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    figures = [json.loads(Path(p).read_text(encoding="utf-8")) for p in sys.argv[1:]]
    figures.sort(key=lambda f: (f["attack_set"] != "selection", f["seed"]))
    print("\n".join(seeds_table(figures)))
    for f in figures:
        print(f"\nseed {f['seed']}, {f['attack_set']}\n")
        print("\n".join([*full_table(f), "", *share_table(f)]))


if __name__ == "__main__":
    main()

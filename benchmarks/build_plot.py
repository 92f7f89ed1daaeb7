"""Draws what `build_speed.py` measured.

python benchmarks/build_plot.py benchmarks/results/build_speed.json docs/img/build-speed.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"notebook": "#4477aa", "cross product": "#ee8866"}


def rows(result: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Every way from top to bottom, with prompts/s by name set; peers have one rate for both."""
    peers = result["peers, prompts/s"]
    made = [
        (f"open_clip, {way}", dict.fromkeys(COLOURS, peers[key]))
        for way, key in (("77 tokens", "published"), ("sorted and cut", "sorted and cut"))
    ]
    for way in next(iter(result["names"].values()))["prompts/s"]:
        rates = {name: case["prompts/s"][way] for name, case in result["names"].items()}
        made.append((f"packs, {way}", rates))
    return made


def draw(result: dict[str, Any], path: Path) -> None:
    made = rows(result)
    base = result["peers, prompts/s"]["published"]
    figure, axes = plt.subplots(figsize=(8, 0.75 * len(made) + 1.3), layout="constrained")
    height = 0.38
    for offset, (name, colour) in zip((-height / 2, height / 2), COLOURS.items(), strict=True):
        nodes = result["names"][name]["nodes per prompt"]["torch float32"]
        rates = [row[name] for _, row in made]
        places = [i + offset for i in range(len(made))]
        label = f"{name} names, {nodes:.2f} nodes a prompt"
        axes.barh(places, rates, height, color=colour, label=label)
        for place, rate in zip(places, rates, strict=True):
            axes.text(rate * 1.04, place, f"{rate:,.0f}  ({rate / base:.3g} x)", va="center")
    axes.set_xscale("log")
    axes.set_xlim(base / 2, max(max(row.values()) for _, row in made) * 4)
    axes.set_yticks(range(len(made)), [label for label, _ in made])
    axes.invert_yaxis()
    axes.set_xlabel("prompts a second (in brackets: times open_clip as published)")
    axes.set_title(f"{result['model']}, 21 templates, {result['threads']} threads, one run")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.07), ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))

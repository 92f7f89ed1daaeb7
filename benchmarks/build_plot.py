"""Draws what `build_speed.py` measured.

python benchmarks/build_plot.py benchmarks/results/build_speed.json docs/img/build-speed.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"notebook": "#4477aa", "cross product": "#ee8866"}


def rows(result: dict[str, Any], arguments: Any) -> list[tuple[str, dict[str, float]]]:
    """Every way from top to bottom, with prompts/s by name set; peers have one rate for both."""
    peers = result["peers, prompts/s"]
    label = "open_clip, 77 tokens"
    if arguments.published:
        peers, label = {**peers, "published": arguments.published}, label + "\n(a quieter run)"
    made = [
        (text, dict.fromkeys(COLOURS, peers[key]))
        for text, key in ((label, "published"), ("open_clip, sorted and cut", "sorted and cut"))
    ]
    for way in next(iter(result["names"].values()))["prompts/s"]:
        if not arguments.ways or way in arguments.ways.split(","):
            rates = {name: case["prompts/s"][way] for name, case in result["names"].items()}
            made.append((f"packs, {way}", rates))
    return made


def draw(result: dict[str, Any], made: list[tuple[str, dict[str, float]]], path: Path) -> None:
    base = made[0][1]["notebook"]
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
    axes.set_title(f"{result['model']}, 21 templates, {result['threads']} threads")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.07), ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--published", type=float)
    parser.add_argument("--ways")
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text())
    draw(result, rows(result, arguments), arguments.picture)


if __name__ == "__main__":
    main()

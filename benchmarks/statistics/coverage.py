"""Do the intervals cover, and do warnings keep quiet on clean data? Simulated, seeded.

    python benchmarks/statistics/coverage.py --repeats 1000 --out coverage.json

A 95 % interval should hold the truth in 95 % of repeats; with 1,000 of them the share itself is
known to within 1.4 points.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.auc import auc, auc_interval
from idia_index.evaluation.low_fpr import tpr_interval
from idia_index.evaluation.pairs import of_one_sex, share_of_crossed_pairs
from idia_index.evaluation.pvalues import SMALL, excess_of_small

Floats = NDArray[np.float64]
Row = dict[str, object]
NORMAL = NormalDist()
SIZES = ((10, 10), (24, 24), (144, 308), (540, 400))
AUCS = (0.5, 0.7, 0.9, 0.99, 0.999)
RATE = 0.01  # FPR at which the TPR is asked for


def of_auc(repeats: int, random: np.random.Generator) -> list[Row]:
    """Newcombe's interval, of normal scores."""
    rows: list[Row] = []
    for members, others in SIZES:
        for truth in AUCS:
            shift = math.sqrt(2) * NORMAL.inv_cdf(truth)
            covered = 0
            for _ in range(repeats):
                value = auc(shift + random.standard_normal(members), random.standard_normal(others))
                low, high = auc_interval(value, members, others)
                covered += low <= truth <= high
            rows.append(_row("AUC", f"{members}+{others}, {truth}", covered, repeats))
    return rows


SHAPES: dict[str, tuple[Callable[[np.random.Generator, int], Floats], float]] = {
    "normal": (lambda random, n: random.standard_normal(n), 1.0),
    "logistic": (lambda random, n: random.logistic(size=n), 1.7),
    "heavy-tailed": (lambda random, n: random.standard_t(3, n), 1.5),
}


def of_low_fpr(repeats: int, random: np.random.Generator) -> list[Row]:
    """TPR at 1 % FPR, whose threshold is estimated."""
    rows: list[Row] = []
    for members, others in ((144, 308), (540, 400), (200, 3000)):
        for shape, (draw, scale) in SHAPES.items():
            threshold = float(np.quantile(draw(random, 4_000_000), 1 - RATE))
            for shift in (1.5 * scale, 3.0 * scale):
                truth = float((shift + draw(random, 1_000_000) >= threshold).mean())
                covered = 0
                for _ in range(repeats // 4):
                    high, low = shift + draw(random, members), draw(random, others)
                    bounds = tpr_interval(high, low, RATE)
                    covered += bounds[0] <= truth <= bounds[1]
                what = f"{members}+{others}, {shape}, TPR {truth:.2f}"
                rows.append(_row("TPR at 1 % FPR", what, covered, repeats // 4))
    return rows


def of_pairs(repeats: int, random: np.random.Generator) -> list[Row]:
    """Pairs of people and names, half of either of each sex, both with effects of their own."""
    rows: list[Row] = []
    for people, names in ((10, 20), (50, 100), (120, 312), (308, 452)):
        counted = of_one_sex(["f", "m"] * (people // 2), ["f", "m"] * (names // 2))
        np.fill_diagonal(counted, False)
        for wanted in (0.003, 0.013, 0.05):
            for spread in (0.3, 0.9):
                level = _level(wanted, spread * math.sqrt(2))
                covered = 0
                for _ in range(repeats // 2):
                    effects = random.standard_normal((people, 1)), random.standard_normal(names)
                    chance = 1 / (1 + np.exp(-level - spread * (effects[0] + effects[1])))
                    hits = random.random(chance.shape) < chance
                    bounds = share_of_crossed_pairs(hits, counted).ci95
                    assert bounds is not None
                    covered += bounds[0] <= wanted <= bounds[1]
                what = f"{people} x {names}, {wanted:.1%}, spread {spread}"
                rows.append(_row("pairs", what, covered, repeats // 2))
    return rows


def _level(wanted: float, spread: float) -> float:
    """The logit at which the mean over normal effects is the wanted share."""
    effects = spread * np.array([NORMAL.inv_cdf((i + 0.5) / 4000) for i in range(4000)])
    low, high = -30.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = float((1 / (1 + np.exp(-middle - effects))).mean())
        low, high = (middle, high) if mean < wanted else (low, middle)
    return low


def of_warnings(repeats: int, random: np.random.Generator) -> list[Row]:
    """Too many small p-values among non-members whose names do not stand out; at most 5 %."""
    rows: list[Row] = []
    for controls in (99, 250, 999):
        for people in (20, 308, 3000, 10_000):
            sizes = np.full(people, controls)
            fired = 0
            for _ in range(repeats):
                p = random.integers(1, controls + 2, people) / (controls + 1)
                fired += excess_of_small(p, sizes) < SMALL
            what = f"{people} non-members, {controls} controls"
            rows.append(_row("warnings", what, fired, repeats))
    return rows


def _row(figure: str, what: str, hits: int, repeats: int) -> Row:
    row: Row = {"figure": figure, "cell": what, "share": round(hits / repeats, 4), "of": repeats}
    print(row, flush=True)
    return row


PARTS = (of_auc, of_warnings, of_pairs, of_low_fpr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", type=int, choices=range(len(PARTS)), help="one of the parts")
    arguments = parser.parse_args()
    rows = []
    for number, part in enumerate(PARTS):
        if arguments.only in (None, number):
            rows += part(arguments.repeats, np.random.default_rng([arguments.seed, number]))
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

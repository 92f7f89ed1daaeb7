"""How often the bounds and intervals of `canary audit` and `compare` hold, in 2,000 audits each.

    python benchmarks/statistics/canary_coverage.py [--audits 2000] [canaries] [differences] ...

Canaries: models without memory (the bound is to be 0), randomized response of known epsilon, whose
score is the coin told truly with probability e^epsilon / (1 + e^epsilon), and Gaussian scores with
a shift. Comparisons: intervals of the mean change over people, of four laws; the main test where
nobody was forgotten.
"""

from __future__ import annotations

import argparse
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation import canaries
from idia_index.evaluation.auc import auc_interval
from idia_index.evaluation.canaries import best_bound, guess, guess_counts
from idia_index.evaluation.epsilon import epsilon_lower_bound
from idia_index.evaluation.paired import PairedChange, bootstrap_interval
from idia_index.evaluation.ranks import rank_test
from idia_index.support import intervals

# The same counts come again and again.
canaries.epsilon_lower_bound = cache(epsilon_lower_bound)  # type: ignore[attr-defined]
canaries.tail = cache(canaries.tail)  # type: ignore[attr-defined]
intervals.clopper_pearson = cache(intervals.clopper_pearson)


def bounds(audits: int, number: int, epsilon: float | None) -> NDArray[np.float64]:
    """The bound of each audit; `epsilon` None: scores that do not depend on the coins."""
    random = np.random.default_rng([number, 0 if epsilon is None else int(10 * epsilon) + 1])
    plans, out = guess_counts(number, None), []
    for _ in range(audits):
        coins = random.random(number) < 0.5
        scores = random.random(number)
        if epsilon is not None:
            true = random.random(number) < 1 / (1 + math.exp(-epsilon))
            # Who is told to be in comes first, in an order that tells nothing more.
            scores += np.where(true, coins, ~coins)
        out.append(best_bound(guess(scores, coins, plans, 0.0, 0.95)))
    return np.array(out)


def changes(
    law: str, random: np.random.Generator, people: int
) -> tuple[NDArray[np.float64], float]:
    """One sample of people's changes, and the true mean."""
    if law == "normal":
        return random.normal(1, 1, people), 1.0
    if law == "skewed":
        return random.gamma(2, 1, people), 2.0
    if law == "heavy":
        return random.standard_t(4, people), 0.0
    return random.normal(0, 1, people) * (random.random(people) < 0.5), 0.0


def show_canaries(audits: int) -> None:
    print("| canaries | mechanism | bound above the true epsilon | mean bound |\n|---|---|---|---|")
    for number in (50, 100, 400, 2000):
        for epsilon in (None, 0.0, 1.0, 3.0):
            found = bounds(audits, number, epsilon)
            above = (found > (epsilon or 0.0)).mean()
            what = "no memory" if epsilon is None else f"randomized response, epsilon {epsilon:g}"
            print(f"| {number:,} | {what} | {above:.1%} | {found.mean():.2f} |", flush=True)


def show_changes(audits: int) -> None:
    print("\n| people | law of the change | 95% interval covers |\n|---|---|---|")
    for people in (10, 24, 120):
        for law in ("normal", "skewed", "heavy", "half are 0"):
            random = np.random.default_rng([people, len(law)])
            covered = 0
            for seed in range(audits):
                values, mean = changes(law, random, people)
                low, high = bootstrap_interval(values, seed)
                covered += low <= mean <= high
            print(f"| {people} | {law} | {covered / audits:.1%} |", flush=True)


def show_differences(audits: int) -> None:
    print("\n| people | lost, gained | 95% interval of the difference covers |\n|---|---|---|")
    interval = cache(lambda n, lost, gained: PairedChange(n, lost, gained).interval())
    for people in (24, 120):
        for lose, gain in ((0.0, 0.0), (0.05, 0.05), (0.3, 0.1), (0.9, 0.0)):
            random = np.random.default_rng([people, int(100 * lose), int(100 * gain)])
            draws = random.multinomial(people, [lose, gain, 1 - lose - gain], audits)
            covered = 0
            for lost, gained, _ in draws.tolist():
                low, high = interval(people, lost, gained)
                covered += low <= gain - lose <= high
            print(f"| {people} | {lose:.0%}, {gain:.0%} | {covered / audits:.1%} |", flush=True)


def show_test(audits: int) -> None:
    print("\n| forget, retain | shift | called different | P(falls more) in its interval |")
    print("|---|---|---|---|")
    for forget, retain, shift in ((24, 120, 0.0), (24, 120, 0.8), (8, 30, 0.0), (4, 8, 0.0)):
        random = np.random.default_rng([forget, retain, int(10 * shift)])
        true = 0.5 * (1 + math.erf(shift / 2))
        different = covered = 0
        for _ in range(audits):
            found = rank_test(random.normal(-shift, 1, forget), random.normal(0, 1, retain))
            different += found.p_value <= 0.05
            low, high = auc_interval(found.probability_lower, forget, retain)
            covered += low <= true <= high
        print(
            f"| {forget}, {retain} | {shift:g} | {different / audits:.1%} | "
            f"{covered / audits:.1%} |",
            flush=True,
        )


PARTS = {
    "canaries": show_canaries, "differences": show_differences, "changes": show_changes,
    "test": show_test,
}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audits", type=int, default=2000)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="|".join(PARTS))
    arguments = parser.parse_args()
    for part in arguments.parts:
        PARTS[part](arguments.audits)

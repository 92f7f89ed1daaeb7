"""How often the bounds and intervals of `canary audit` and `compare` hold, in 2,000 audits each.

    python benchmarks/statistics/canary_coverage.py [--audits 2000] [canaries] [differences] ...

Canaries: models without memory (the bounds are to be 0), randomized response of known epsilon,
whose score is the coin told truly with probability e^epsilon / (1 + e^epsilon), and Gaussian noise
of known mu, at delta 1e-5. Comparisons: intervals of the mean change over people, of four laws; the
main test where nobody was forgotten.
"""

from __future__ import annotations

import argparse
import math
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation import canaries, ranks
from idia_index.evaluation.auc import auc_interval
from idia_index.evaluation.canaries import best_bound, best_mu, guess, guess_counts
from idia_index.evaluation.epsilon import epsilon_lower_bound
from idia_index.evaluation.gaussian import gaussian_epsilon, mu_lower_bound
from idia_index.evaluation.paired import PairedChange, bootstrap_interval
from idia_index.evaluation.ranks import rank_test
from idia_index.support import intervals
from idia_index.support.intervals import Rate

# The same counts come again and again.
canaries.epsilon_lower_bound = cache(epsilon_lower_bound)  # type: ignore[attr-defined]
canaries.mu_lower_bound = cache(mu_lower_bound)  # type: ignore[attr-defined]
canaries.tail = cache(canaries.tail)  # type: ignore[attr-defined]
intervals.clopper_pearson = cache(intervals.clopper_pearson)
counted = cache(lambda people, *seen: PLAIN_COUNT(2 * np.arange(1, people + 1), *seen))
PLAIN_COUNT = ranks._counted
ranks._counted = lambda doubled, *seen: counted(len(doubled), *seen)  # scores without ties

DELTA = 1e-5  # where noise is Gaussian
MECHANISMS = (
    ("no memory", 0.0), ("response", 1.0), ("response", 3.0), ("gaussian", 1.0), ("gaussian", 2.0),
)  # fmt: skip


def bounds(audits: int, number: int, mechanism: str, strength: float) -> NDArray[np.float64]:
    """The bounds on epsilon and mu of each audit, float64 [audits, 2]."""
    random = np.random.default_rng([number, len(mechanism), int(10 * strength)])
    plans, delta = guess_counts(number, None), DELTA if mechanism == "gaussian" else 0.0
    out = []
    for _ in range(audits):
        coins = random.random(number) < 0.5
        scores = random.random(number)  # of equal scores, an order that tells nothing
        if mechanism == "response":
            true = random.random(number) < 1 / (1 + math.exp(-strength))
            scores += np.where(true, coins, ~coins)
        elif mechanism == "gaussian":
            scores = random.normal(0, 1, number) + strength * coins
        found = guess(scores, coins, plans, delta, 0.95)
        out.append((best_bound(found), best_mu(number, found)))
    return np.array(out)


def true_values(mechanism: str, strength: float) -> tuple[float, float]:
    """The epsilon and the mu that hold."""
    if mechanism == "gaussian":
        return gaussian_epsilon(strength, DELTA) or 0.0, strength
    return strength, 2 * NormalDist().inv_cdf(1 / (1 + math.exp(-strength)))


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
    """A bound of mu is shown as the epsilon of noise at `DELTA` too, where noise is Gaussian."""
    print("| canaries | mechanism | epsilon | above | mean bound | mu | above | mean bound | its |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number in (50, 100, 400, 2000):
        for mechanism, strength in MECHANISMS:
            found = bounds(audits, number, mechanism, strength)
            true, mean = true_values(mechanism, strength), found.mean(axis=0)
            above = (found > true).mean(axis=0)
            cells = [f"{true[i]:.2f} | {above[i]:.1%} | {mean[i]:.2f}" for i in range(2)]
            noise = gaussian_epsilon(mean[1], DELTA) if mechanism == "gaussian" else None
            its = "-" if noise is None else f"{noise:.2f}"
            print(f"| {number:,} | {mechanism} {strength:g} | {' | '.join(cells)} | {its} |")


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
    print("\n| people | lost, gained | 95% interval of the drop covers | 90% | of the rate, 95% |")
    print("|---|---|---|---|---|")
    interval = cache(lambda n, lost, gained, level: PairedChange(n, lost, gained).interval(level))
    for people in (24, 120):
        for lose, gain in ((0.0, 0.0), (0.05, 0.05), (0.3, 0.1), (0.9, 0.0)):
            random = np.random.default_rng([people, int(100 * lose), int(100 * gain)])
            draws = random.multinomial(people, [lose, gain, 1 - lose - gain], audits)
            covered = np.zeros(3)
            for lost, gained, _ in draws.tolist():
                for place, level in enumerate((0.95, 0.90)):
                    low, high = interval(people, lost, gained, level)
                    covered[place] += low <= gain - lose <= high
                low, high = Rate(lost, people).ci95 or (0.0, 1.0)
                covered[2] += low <= lose <= high
            cells = " | ".join(f"{share:.1%}" for share in covered / audits)
            print(f"| {people} | {lose:.0%}, {gain:.0%} | {cells} |", flush=True)


def show_test(audits: int) -> None:
    print("\n| forget, retain | shift | called different | P(drops more) in its interval |")
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

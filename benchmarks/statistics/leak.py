"""How often the leak gate raises the alarm on clean splits, and what it sees of leaks; simulated.

    python benchmarks/statistics/leak.py --repeats 1000

All five baselines of a report, of people whose scores tell nothing of membership but depend on each
other as a report's do: a name's own preference stands in three of them.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from idia_index.evaluation.baselines import (
    BlindScores,
    compare,
    largest_leak,
    learned_scores,
    shifted,
    standardized,
)
from idia_index.subjects.photo_features import FEATURES

SIDES = (10, 20, 50, 140)
DIM = 64  # of image embeddings
ATTACK = 0.7  # its AUC: with a stronger one fewer baselines come near it
LEAK = 0.75  # AUC of a mark on half of the members' photos


def people(a_side: int, random: np.random.Generator) -> BlindScores:
    both = 2 * a_side
    preferred = random.standard_normal(both)
    swapped = preferred + random.standard_normal((both, 1)) + random.standard_normal((both, both))
    spread = np.r_[2 * np.ones(10), 0.5 * np.ones(FEATURES + 5 - 10)]
    features = spread * random.standard_normal((both, FEATURES + 5))
    return BlindScores(
        name_only=preferred + random.standard_normal(both),
        image_free=preferred + random.standard_normal(both),
        image_only=random.standard_normal((both, DIM)) / np.sqrt(1 + np.arange(DIM)),
        swapped_margin=swapped,
        features=features,
    )


def alarms(blind: BlindScores, a_side: int, seed: int) -> tuple[list[str], float]:
    """The baselines that fire, and the largest leak that is not excluded."""
    truth = np.arange(a_side), np.arange(a_side, 2 * a_side)
    assert blind.features is not None and blind.swapped_margin is not None
    features = standardized(blind.features)
    rows = [
        compare(score, truth, ATTACK, what)
        for what, score in (
            ("name_only", blind.name_only),
            ("image_free", blind.image_free),
            ("shuffled_images", shifted(blind.swapped_margin, seed)),
            ("image_only", learned_scores(blind.image_only, *truth, seed)),
            ("model_free", learned_scores(features, *truth, seed)),
        )
    ]
    largest = largest_leak(features, truth, rows[-1].auc_ci99[1])
    return [row.baseline for row in rows if row.fires], largest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for a_side in SIDES:
        random = np.random.default_rng([arguments.seed, a_side])
        fired: Counter[str] = Counter()
        seen = missed = 0
        for repeat in range(arguments.repeats):
            blind = people(a_side, random)
            found, _ = alarms(blind, a_side, repeat)
            fired.update(found)
            fired["any"] += bool(found)
            assert blind.features is not None
            blind.features[: a_side // 2, 0] += 24
            found, largest = alarms(blind, a_side, repeat)
            seen += "model_free" in found
            missed += "model_free" not in found and largest < LEAK
        shares = {what: f"{n / arguments.repeats:.1%}" for what, n in sorted(fired.items())}
        print(f"{a_side} a side: clean alarms {shares}", flush=True)
        print(f"  half marked: {seen / arguments.repeats:.1%} seen, {missed} excluded wrongly")


if __name__ == "__main__":
    main()

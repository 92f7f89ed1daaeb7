"""The paper's evaluation of one model, against the way it was published: pandas, a draw at a time.

    python benchmarks/evaluate_speed.py [--people 548] [--pandas-draws 2]

The full protocol: 16 numbers of attack images x 20 draws, 21 templates, rates, deviations and
intervals. The peer follows the description of the published evaluation (a table with a column of
predictions for each template; per draw and person a sample of rows, then the most frequent value
of each column) and was written for this comparison, in two ways: person by person, and as one
grouping of all rows, which is the fastest that pandas was found to do it. They run some draws of
15 images, the mean size, in the same process; all 320 are extrapolated. All must count the same
correct prompts on the same draws.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time

import numpy as np
import pandas as pd

from idia_index.evaluation.draws import draw_images
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.protocol import PAPER_SIZES, draw_correct, make_bins, rate_curve

TEMPLATES, IMAGES, CANDIDATES, DRAWS, MEAN_SIZE = 21, 30, 1000, 20, 15


def random_predictions(people: int, seed: int) -> Measured:
    """Predictions as a model gives them: members mostly right, a few names that attract many."""
    random = np.random.default_rng(seed)
    shape = (TEMPLATES, people * IMAGES)
    # Cubed: some names are predicted far more often than others, so that votes do tie.
    predictions = (CANDIDATES * random.random(shape) ** 3).astype(np.int64)
    known = np.repeat(random.random(people) * 0.6, IMAGES)
    names = np.repeat(np.arange(people), IMAGES)
    predictions = np.where(random.random(shape) < known, names, predictions)
    empty = np.zeros(shape, np.float32)
    return Measured(
        offsets=np.arange(people + 1) * IMAGES,
        name_ids=np.arange(people),
        predictions=predictions,
        top=empty,
        second=empty,
        rivals=predictions,
        true=empty,
        pool_sizes=np.zeros(0, np.int64),
        pool_predictions=np.zeros((0, *shape), np.int64),
        pool_unknown=np.zeros(0),
    )


def ours(measured: Measured, people: list[str]) -> tuple[float, np.ndarray]:
    """Seconds for the full protocol with rates, bands and bins; correct prompts [S, R, P]."""
    start = time.perf_counter()
    drawn = draw_correct(measured, list(enumerate(people)), PAPER_SIZES, DRAWS, 0)
    members = np.ones(len(people), np.bool_)
    members[-8:] = False  # as in the paper's LAION-400M study
    rate_curve(drawn, members, 1, 0)
    rate_curve(drawn, ~members, 1, 0)
    for found in make_bins([25 * (i % 12) for i in range(len(people))], members, None):
        rate_curve(drawn, found.members, 1, 0)
    return time.perf_counter() - start, drawn.correct


def wide_peer(table: pd.DataFrame, drawn: dict[str, np.ndarray]) -> list[int]:
    """Correct prompts of one draw, person by person and prompt by prompt."""
    correct = []
    for name, person in table.groupby("person", sort=False):
        sample = person[drawn[str(name)]]
        modes = [sample[column].mode() for column in sample.columns[1:]]
        correct.append(sum(len(mode) == 1 and mode.iloc[0] == name for mode in modes))
    return correct


def long_peer(table: pd.DataFrame, drawn: dict[str, np.ndarray]) -> list[int]:
    """The same as one grouping of all rows, the fastest that pandas was found to do it."""
    sample = table[np.concatenate([drawn[name] for name in table["person"].unique()])]
    votes = sample.melt("person", var_name="prompt", value_name="name")
    counts = votes.groupby(["person", "prompt", "name"], sort=False).size()
    groups = counts.groupby(level=["person", "prompt"], sort=False)
    at_top = counts == groups.transform("max")
    alone = at_top.groupby(level=["person", "prompt"], sort=False).transform("sum") == 1
    winners = counts[at_top & alone].reset_index()
    right = winners[winners["person"] == winners["name"]].groupby("person").size()
    return right.reindex(table["person"].unique(), fill_value=0).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=548)
    parser.add_argument("--pandas-draws", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    measured = random_predictions(options.people, 0)
    people = [f"person {i}" for i in range(options.people)]
    times = []
    for _ in range(options.repeats):
        seconds, correct = ours(measured, people)
        times.append(seconds)
    labels = np.array([*people, *(f"other {i}" for i in range(options.people, CANDIDATES))])
    columns = [f"prompt {t}" for t in range(TEMPLATES)]
    table = pd.DataFrame(labels[measured.predictions].T, columns=columns)
    table.insert(0, "person", np.repeat(people, IMAGES))
    masks = {name: draw_images(name, IMAGES, [MEAN_SIZE], DRAWS, 0)[0] for name in people}
    expected = correct[PAPER_SIZES.index(MEAN_SIZE)]
    peers = {"by_person": wide_peer, "grouped": long_peer}
    peer_times: dict[str, list[float]] = {name: [] for name in peers}
    for draw in range(options.pandas_draws):
        drawn = {name: mask[draw] for name, mask in masks.items()}
        for name, run in peers.items():
            start = time.perf_counter()
            theirs = run(table, drawn)
            peer_times[name].append(time.perf_counter() - start)
            assert theirs == expected[draw].tolist(), f"{name} does not agree"
    draws = len(PAPER_SIZES) * DRAWS
    extrapolated = {name: draws * float(np.mean(found)) for name, found in peer_times.items()}
    print(
        json.dumps(
            {
                "people": options.people,
                "draws": draws,
                "seconds": [round(value, 3) for value in times],
                "seconds_best": round(min(times), 3),
                "pandas_seconds_per_draw": {
                    name: [round(value, 3) for value in found] for name, found in peer_times.items()
                },
                "pandas_seconds_extrapolated": {
                    name: round(value, 1) for name, value in extrapolated.items()
                },
                "times_faster": {
                    name: round(value / float(np.median(times)), 1)
                    for name, value in extrapolated.items()
                },
                "cores": os.cpu_count(),
                "load": [round(value, 1) for value in os.getloadavg()],
                "numpy": np.__version__,
                "pandas": pd.__version__,
                "python": platform.python_version(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()

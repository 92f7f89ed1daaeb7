"""The notebooks' evaluation in pandas: predictions and draws -> votes, decisions, rates, bins.

Nothing of idia-index is used. One row of `shots` is a photo of a person: `person`, `shot`, `truth`
("member", "non_member"), `count` and one column a prompt with the predicted name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd


def winners(shots: pd.DataFrame, prompts: Sequence[str]) -> pd.DataFrame:
    """Each person's most frequent name by prompt, a row a person; None where several are."""
    long = shots.melt("person", list(prompts), "prompt", "name")
    counts = long.groupby(["person", "prompt", "name"], sort=False).size()
    both = counts.groupby(level=["person", "prompt"], sort=False)
    best = counts[counts == both.transform("max")].reset_index("name").name
    best = best.mask(best.index.duplicated(keep=False)).astype(object)
    table = best[~best.index.duplicated()].unstack("prompt")
    table = table.astype(object).where(table.notna(), None)
    return table.loc[shots.person.unique(), list(prompts)]


def correct(table: pd.DataFrame) -> pd.Series:
    """Number of prompts whose winner is the person."""
    return table.apply(lambda row: sum(name == row.name for name in row), axis=1)


@dataclass(frozen=True)
class Evaluated:
    """Rates by number of images, and the members found by bin with the most images."""

    rates: pd.DataFrame
    by_bin: pd.DataFrame


def evaluate(
    shots: pd.DataFrame,
    prompts: Sequence[str],
    draws: Mapping[tuple[int, int], pd.DataFrame],
    tau: int,
    edges: Sequence[int],
) -> Evaluated:
    """Everything over draws: `draws` holds, by images and number, the drawn (person, shot) rows."""
    truth = shots.drop_duplicates("person").set_index("person")
    rows, binned = [], []
    most = max(size for size, _ in draws)
    bins = pd.IntervalIndex.from_breaks([*edges, 10**6], closed="left")
    for (size, number), drawn in draws.items():
        found = correct(winners(shots.merge(drawn, on=["person", "shot"]), prompts)) >= tau
        told = truth.loc[found.index]
        member, other = told.truth == "member", told.truth == "non_member"
        hits, alarms = int((found & member).sum()), int((found & other).sum())
        rows.append({
            "images": size, "draw": number, "tp": hits, "fn": member.sum() - hits,
            "fp": alarms, "tn": other.sum() - alarms,
            "tpr": hits / member.sum(), "fnr": 1 - hits / member.sum(),
            "fpr": alarms / other.sum(), "tnr": 1 - alarms / other.sum(),
            "accuracy": (hits + other.sum() - alarms) / (member.sum() + other.sum()),
        })  # fmt: skip
        if size == most:
            own = pd.cut(told["count"][member], bins)
            binned.append(found[member].groupby(own, observed=True).mean())
    return Evaluated(pd.DataFrame(rows), pd.concat(binned, axis=1).T)

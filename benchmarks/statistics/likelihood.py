"""What likelihood ratios calibrated on a study cost, by score and training count, as a table.

idia-index demo --out idia-demo
python benchmarks/statistics/likelihood.py idia-demo/report
"""

from __future__ import annotations

import sys

import numpy as np

from idia_index.evaluation.calibration import calibrate, cllr, cross_fitted, minimum_cllr
from idia_index.evaluation.likelihood import LEAST_PEOPLE
from idia_index.pipelines.own_study import read_own_study


def main() -> None:
    study = read_own_study(sys.argv[1], ())
    counts = np.array([each.training_count or 0 for each in study.people])
    members = np.array([each.member for each in study.people])
    print("| score | members | Cllr | minimum | ratios | members told 10 and more | non-members |")
    print("|---|---|---|---|---|---|---|")
    for what in ("pmi", "margin"):
        scores = np.array([getattr(each, what) for each in study.people], np.float64)
        others = scores[~members]
        for count in (None, *np.unique(counts[members]).tolist()):
            known = scores[members & (counts == count if count is not None else members)]
            if len(known) < LEAST_PEOPLE:
                continue
            told = cross_fitted(known, others, 0)
            ends = np.exp(calibrate(known, others).log_ratios[[0, -1]])
            high = [f"{int((each >= np.log(10)).sum())} of {len(each)}" for each in told]
            print(
                f"| {what}, {'all' if count is None else count} | {len(known)} | {cllr(*told):.2f} "
                f"| {minimum_cllr(known, others):.2f} | 1/{1 / ends[0]:.2g} to {ends[1]:.3g} "
                f"| {high[0]} | {high[1]} |"
            )


if __name__ == "__main__":
    main()

"""The notebooks' way of drawing names, in pandas: a program, so that NumPy can be set up before.

    python pandas_names.py FIRST_NAMES SURNAMES TOTAL < JOBS

JOBS is a JSON list of [FOLDERS, SEED]: the people's folders, and the seed of a drawing. Writes, for
each, the people's names, then the drawn ones, as JSON.
"""

from __future__ import annotations

import json
import sys

import pandas


def pairs(first_names: str, surnames: str) -> pandas.DataFrame:
    firsts = pandas.read_csv(first_names).drop(columns="year")
    firsts = firsts.drop_duplicates(subset=["name", "sex"])
    firsts["sex"] = firsts.sex.where(firsts.sex != "boy", "m").where(firsts.sex == "boy", "f")
    ranked = firsts.sort_values("percent", ascending=False)
    common = ranked.groupby("sex").head(1000)[["name", "sex"]]
    lasts = pandas.read_csv(surnames).dropna()
    lasts = lasts.SURNAME.str.title().rename("surname")
    return common.merge(lasts, how="cross")


def names(everything: pandas.DataFrame, folders: list[str], total: int, seed: int) -> list[str]:
    told = [folder.replace("_", " ") for folder in folders]
    each = int((total - len(told)) / 2)
    drawn = everything.groupby("sex").sample(each, random_state=seed)
    return told + (drawn.name + " " + drawn.surname).tolist()


if __name__ == "__main__":
    first_file, last_file, wanted = sys.argv[1:]
    all_pairs = pairs(first_file, last_file)
    jobs = json.load(sys.stdin)
    print(json.dumps([names(all_pairs, folders, int(wanted), seed) for folders, seed in jobs]))

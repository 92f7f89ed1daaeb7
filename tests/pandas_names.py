"""The notebooks' way of drawing names, in pandas: a program, so that NumPy can be set up before.

    python pandas_names.py FIRST_NAMES SURNAMES PEOPLE TOTAL SEED

PEOPLE is a file of folders, one a line. Writes the people's names, then the drawn ones, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas


def names(first_names: str, surnames: str, people: str, total: int, seed: int) -> list[str]:
    firsts = pandas.read_csv(first_names).drop(columns="year")
    firsts = firsts.drop_duplicates(subset=["name", "sex"])
    firsts["sex"] = firsts.sex.where(firsts.sex != "boy", "m").where(firsts.sex == "boy", "f")
    ranked = firsts.sort_values("percent", ascending=False)
    common = ranked.groupby("sex").head(1000)[["name", "sex"]]
    lasts = pandas.read_csv(surnames).dropna()
    lasts = lasts.SURNAME.str.title().rename("surname")
    everything = common.merge(lasts, how="cross")
    folders = Path(people).read_text(encoding="utf-8").splitlines()
    told = [folder.replace("_", " ") for folder in folders]
    each = int((total - len(told)) / 2)
    drawn = everything.groupby("sex").sample(each, random_state=seed)
    return told + (drawn.name + " " + drawn.surname).tolist()


if __name__ == "__main__":
    first_file, last_file, people_file, wanted, number = sys.argv[1:]
    print(json.dumps(names(first_file, last_file, people_file, int(wanted), int(number))))

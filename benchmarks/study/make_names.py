"""Write the study's name pools from the US Census Bureau's 1990 name frequency files.

The three files (`dist.female.first`, `dist.male.first`, `dist.all.last`) are public domain.
They travel in the source archive of the PyPI package `names`, among other places:

    python benchmarks/study/make_names.py FOLDER_WITH_THE_THREE_FILES
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

PER_SEX = 100
LAST = 200
OUT = Path(__file__).parent / "names.csv"

# Words that the captions use for looks and places: as a name they would mean two things.
CAPTION_WORDS = {
    "Brown", "Black", "White", "Green", "Gray", "Long", "Young", "Day", "Hall", "Wood", "Woods",
    "Hill", "Stone", "Street", "Field", "Fields", "Red", "Reed", "Blue", "Short", "Little",
}  # fmt: skip


def read_ranked(path: Path, limit: int) -> list[str]:
    """The `limit` most frequent names of one census file, title-cased, most frequent first."""
    lines = path.read_text(encoding="ascii").splitlines()[:limit]
    return [line.split()[0].title() for line in lines]


def pools(folder: Path) -> list[tuple[str, str]]:
    """Rows (kind, name): a first name belongs to one sex, and no last name is a first name."""
    female = read_ranked(folder / "dist.female.first", 400)
    male = read_ranked(folder / "dist.male.first", 400)
    both = set(female) & set(male)
    taken = set(female) | set(male) | CAPTION_WORDS
    last = [n for n in read_ranked(folder / "dist.all.last", 600) if n not in taken]
    # "Ann Peters" must not be found in a caption that says "Ann Peterson".
    last = [n for n in last if not n.startswith("Mc")]
    last = [n for n in last if not any(o != n and o.startswith(n) for o in last)]
    rows = [("female", n) for n in female if n not in both][:PER_SEX]
    rows += [("male", n) for n in male if n not in both][:PER_SEX]
    return rows + [("last", n) for n in last[:LAST]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with OUT.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "name"])
        writer.writerows(pools(folder))
    print(f"wrote {OUT.name}")


if __name__ == "__main__":
    main()

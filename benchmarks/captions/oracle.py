"""Counts of `idia-index members` against naive loops: `python benchmarks/captions/oracle.py`.

For `paper` a loop of `in`; for `name` a regular expression a name (tests/caption_oracle.py), tried
on the captions that hold the name's longest part.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from caption_oracle import FILE_SEPARATOR, plain, regex, variant
from make_captions import odd_captions, odd_names

from idia_index.captions.matching import Matcher

TEXTS: list[str] = []
PLAIN: list[str] = []


def by_loop(name: str) -> tuple[set[tuple[int, str]], set[int]]:
    """Hits of a name by both rules."""
    longest = max(regex.split(FILE_SEPARATOR + "+", plain(name)), key=len)
    near = [k for k, text in enumerate(PLAIN) if longest in text]
    named = {(k, kind) for k in near if (kind := variant(TEXTS[k], name)) is not None}
    return named, {k for k, text in enumerate(TEXTS) if name in text}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=1000)
    given = parser.parse_args()
    names = odd_names(given.names)
    TEXTS.extend(odd_captions(given.captions, 1, names))
    PLAIN.extend(map(plain, TEXTS))
    begun = time.time()
    with multiprocessing.get_context("fork").Pool() as pool:
        slow = pool.map(by_loop, names, chunksize=10)
    print(f"naive: {time.time() - begun:.0f} s")
    column = pa.array([text.encode() for text in TEXTS], pa.binary())
    for rule, which in (("name", 0), ("paper", 1)):
        begun = time.time()
        matcher = Matcher(names, rule)
        ours: list[set[object]] = [set() for _ in names]
        for start in range(0, len(column), 32_768):
            found = matcher.match(column[start : start + 32_768])
            for caption, name, kind in zip(*(each.tolist() for each in found), strict=True):
                hit = caption + start
                ours[name].add((hit, matcher.variants[kind]) if rule == "name" else hit)
        hits = sum(map(len, ours))
        wrong = sum(a != b[which] for a, b in zip(ours, slow, strict=True))
        print(f"{rule}: {hits:,} hits of {len(names)} names in {given.captions:,} captions, "
              f"{wrong} names differ, {time.time() - begun:.1f} s")  # fmt: skip
        if wrong:
            sys.exit(1)


if __name__ == "__main__":
    main()

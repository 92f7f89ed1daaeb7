"""Hits of `members` against naive loops over names: a million captions, a thousand names.

    python benchmarks/captions/oracle.py [--captions 1000000] [--names 1000] [--shards 20]

Names are in twelve scripts, some of them parts of others; captions hold them in every variant and
as near misses. Rule `paper` is held against a loop of `in` over all captions; rule `name` against
one slow regular expression a name (tests/caption_oracle.py), tried on the captions that hold the
name's longest part. Captions are compared shard by shard: `--first 7` resumes with the eighth.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

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


def ours(names: list[str], rule: str) -> list[set[Any]]:
    """Hits of each name, as `by_loop` gives them."""
    matcher = Matcher(names, rule)
    column = pa.array([text.encode() for text in TEXTS], pa.binary())
    hits: list[set[Any]] = [set() for _ in names]
    for caption, name, kind in zip(*(each.tolist() for each in matcher.match(column)), strict=True):
        hits[name].add((caption, matcher.variants[kind]) if rule == "name" else caption)
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    names, count = odd_names(given.names), given.captions // given.shards
    totals = {"name": 0, "paper": 0}
    for shard in range(given.first, given.shards):
        TEXTS[:] = odd_captions(count, shard, names)
        PLAIN[:] = map(plain, TEXTS)
        begun = time.process_time()
        if given.workers == 1:
            slow = list(map(by_loop, names))
        else:
            with multiprocessing.get_context("fork").Pool(given.workers) as pool:
                slow = pool.map(by_loop, names, chunksize=10)
        for place, rule in enumerate(totals):
            hits = ours(names, rule)
            totals[rule] += sum(map(len, hits))
            wrong = [name for name, a, b in zip(names, hits, slow, strict=True) if a != b[place]]
            if wrong:
                sys.exit(f"shard {shard}, {rule}: {len(wrong)} names differ, {wrong[0]!r} first")
        seconds = time.process_time() - begun
        print(f"shard {shard}: {count:,} captions x {len(names)} names equal; hits so far: "
              f"{totals}; {seconds:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

"""Rates of the caption search and of its peers on the same captions, in turn, medians of rounds.

    python benchmarks/captions/speed.py --work DIR [--captions 1000000] [--files 20] [--out JSON]

MB/s are of caption bytes by processor time on one core, which others' load on the machine changes
less than wall time; the end-to-end run is by wall time on all cores, with the memory that its
processes used. ripgrep has to be installed; pandas and polars too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from make_captions import captions, write

from idia_index.captions.matching import Matcher
from idia_index.captions.records import Layout, Source
from idia_index.captions.search import read_batches
from idia_index.prompts.sampling import sample_names

ROUNDS = 3


def spent() -> float:
    """Processor seconds of this process and of those it waited for."""
    own, theirs = (resource.getrusage(who) for who in
                   (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip
    return own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime


def in_turn(peers: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median MB/s of each; a peer gives the megabytes that it searched."""
    rates: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            begun = spent()
            rates[name].append(peer() / (spent() - begun))
    return {name: round(statistics.median(each), 2) for name, each in rates.items()}


def pandas_as_published(texts: list[str], names: list[str]) -> Callable[[], float]:
    """One `contains` a name, on a part of the captions and names, for all the names."""
    import pandas as pd

    part = pd.Series(texts[:50_000], dtype=object)
    size = sum(len(text.encode()) for text in texts[:50_000]) / 1e6
    some = names[:20]

    def search() -> float:
        for name in some:
            part.str.contains(name).sum()
        return size * len(some) / len(names)

    return search


def polars_many(path: Path, names: list[str], size: float) -> Callable[[], float]:
    import polars as pl

    def search() -> float:
        texts = pl.read_parquet(path, columns=["TEXT"])["TEXT"]
        texts.str.extract_many(names, overlapping=True).list.len().sum()
        return size

    return search


def ripgrep(flags: list[str], names: Path, text: Path, size: float) -> Callable[[], float]:
    def search() -> float:
        subprocess.run(["rg", "-j1", "-o", *flags, "-f", str(names), str(text)],
                       stdout=subprocess.DEVNULL, check=True)  # fmt: skip
        return size

    return search


def ours(path: Path, matcher: Matcher | None, size: float) -> Callable[[], float]:
    """The search of one file, parquet decoding counted; decoding alone without a matcher."""
    source = Source(str(path), "parquet", path.stat().st_size)
    layout = Layout("", ("TEXT",), {})

    def search() -> float:
        for batch in read_batches(source, layout):
            if matcher is not None:
                matcher.match(batch.texts)
        return size

    return search


def memory_of(names: int, rule: str) -> dict[str, Any]:
    """Seconds and peak memory of making the automaton, in a process of its own."""
    code = (
        "import resource, time; from idia_index.prompts.sampling import sample_names\n"
        "from idia_index.captions.matching import Matcher\n"
        f"names = sample_names({names}, 2, weighted=True).names(); t = time.process_time()\n"
        f"Matcher(names, {rule!r})\n"
        "print(time.process_time() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()
    return {"compile_s": round(float(seconds), 1), "peak_GB": round(int(peak) / 1e6, 2)}


def end_to_end(folder: Path, names: Path, out: Path, flags: list[str]) -> dict[str, Any]:
    """The command on a folder: wall seconds, and the memory of all its processes at their most."""
    code = "from idia_index.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "members", str(folder), "--names", str(names), "--out",
         str(out), "--json", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    most = [0]

    def watch() -> None:
        while process.poll() is None:
            most[0] = max(most[0], _resident(process.pid))
            time.sleep(0.2)

    thread = threading.Thread(target=watch)
    begun, cpu = time.time(), spent()
    thread.start()
    assert process.stdout is not None
    data = json.loads(process.stdout.read())
    process.wait()
    thread.join()
    took = time.time() - begun
    rate = data["records"] / took
    return {
        "captions": data["records"], "seconds": round(took, 1), "cpu_s": round(spent() - cpu, 1),
        "peak_resident_GB": round(most[0] / 1e9, 2), "captions_per_s": round(rate),
        "400M_extrapolated_min": round(400e6 / rate / 60, 1),
        "5.85G_extrapolated_h": round(5.85e9 / rate / 3600, 2),
    }  # fmt: skip


def _resident(pid: int) -> int:
    """Memory of a process and its children, what they share once (PSS)."""
    total = 0
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        pids = [pid, *map(int, children.read_text().split())]
        for each in pids:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines()
                          if line.startswith("Pss:")) * 1024  # fmt: skip
    except (OSError, StopIteration):
        pass  # it ends
    return total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    folder = given.work / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    names = sample_names(1000, 1, weighted=True).names()
    texts = captions(given.captions, 1, names)
    size = sum(len(text.encode()) for text in texts) / 1e6
    first, text, list_ = folder / "0000.parquet", given.work / "t.txt", given.work / "names.txt"
    write(texts, first)
    text.write_text("\n".join(texts) + "\n", "utf-8")
    list_.write_text("\n".join(names) + "\n", "utf-8")
    small = given.work / "small.txt"
    small.write_text("\n".join(texts[:50_000]) + "\n", "utf-8")
    for k in range(1, given.files):
        place = folder / f"{k:04}.parquet"
        place.unlink(missing_ok=True)
        os.link(first, place)
    report: dict[str, Any] = {"captions": len(texts), "MB": round(size, 1), "names": 1000}
    report["MB_per_s"] = in_turn({
        "pandas as published (scaled)": pandas_as_published(texts, names),
        "polars extract_many": polars_many(first, names, size),
        "ripgrep -F": ripgrep(["-F"], list_, text, size),
        "ours, paper": ours(first, Matcher(names, "paper"), size),
        "ours, name": ours(first, Matcher(names, "name"), size),
        "reading alone": ours(first, None, size),
        "ripgrep -F -i -w": ripgrep(["-F", "-i", "-w"], list_, small,
                                    small.stat().st_size / 1e6),
    })  # fmt: skip
    print(json.dumps(report, indent=1), flush=True)
    many = sample_names(100_000, 2, weighted=True).names()
    longer = given.work / "many.txt"
    longer.write_text("\n".join(many) + "\n", "utf-8")
    report["100,000 names"] = in_turn({
        "ripgrep -F": ripgrep(["-F"], longer, text, size),
        "ours, paper": ours(first, Matcher(many, "paper"), size),
        "ours, name": ours(first, Matcher(many, "name"), size),
    })  # fmt: skip
    print(json.dumps(report["100,000 names"], indent=1), flush=True)
    for rule in ("paper", "name"):
        report[f"1,000,000 names, {rule}"] = memory_of(1_000_000, rule)
    for flags in ([], ["--match", "paper", "--no-duplicates", "--no-hashes"]):
        name = " ".join(["end to end", *flags])
        report[name] = end_to_end(folder, list_, given.work / "out", flags)
        print(name, json.dumps(report[name]), flush=True)
    print(json.dumps(report, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Fuzzes every parser: whatever the bytes, only an `IdiaIndexError` of one line may come out.

    python benchmarks/fuzz/fuzz.py [--inputs 100000] [--seed 0] [--only NAME] [--coverage]

By default inputs are mutations of good ones, drawn with a seed; with `--coverage`, atheris (which
is not among the extras: pip install atheris) chooses them so that they reach new lines.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

if "--coverage" in sys.argv:  # what is to be seen running has to be changed while it is imported
    import atheris

    with atheris.instrument_imports(include=["idia_index"]):
        import parsers  # noqa: F401

from parsers import PARSERS, Parser

from idia_index.errors import IdiaIndexError

WORDS = [b"\0", b"\xff", b"\n", b"\r\n", b'"', b"{", b"}", b"{0}", b"[", b"]", b",", b":", b"-1",
         b"0", b"1e999", b"NaN", b"null", b"true", b"9" * 30, b"9" * 5000, b"../", b"/", b"..",
         b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\\ud800", b"\x1b[2J", b"=1+1",
         b"A" * 5000, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff" * 8, b"\0" * 8]  # fmt: skip


def mutated(seeds: list[bytes], rng: random.Random, binary: bool) -> bytes:
    """A good input with one to eight changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(min(8, int(rng.expovariate(0.6)) + 1)):
        place = rng.randrange(len(data) + 1)
        if binary and rng.random() < 0.5:
            place = min(place, rng.randrange(200))  # headers are where sizes stand
        how = rng.randrange(8)
        if how == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif how == 1 and data:
            data[place % len(data)] = rng.randrange(256)
        elif how == 2:
            data[place:place] = rng.choice(WORDS)
        elif how == 3:
            word = rng.choice(WORDS)
            data[place : place + len(word)] = word
        elif how == 4:
            del data[place : place + rng.randrange(1, 30)]
        elif how == 5:
            start = rng.randrange(len(data) + 1)
            data[place:place] = data[start : start + rng.randrange(1, 60)]
        elif how == 6:
            value = rng.choice([0, 1, 2, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
            data[place : place + 8] = value.to_bytes(8, "little")
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data)


def finding(parser: Parser, folder: Path, data: bytes) -> str | None:
    """What is wrong with how a parser takes an input; None if nothing is."""
    try:
        parser.parse(folder, data)
    except IdiaIndexError as error:
        line = str(error)
        bad = "\n" in line or "\x1b" in line or len(line) > 4000
        return f"an odd line: {line[:200]!r}" if bad else None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None


def attack(parser: Parser, inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Runs a parser on inputs drawn with a seed; returns how often each thing was wrong."""
    rng, seeds, wrong = random.Random(f"{seed} {parser.name}"), list(parser.seeds()), Counter[str]()
    for data in seeds:
        parser_says = finding(parser, folder, data)
        if parser_says:
            wrong[f"of a good input: {parser_says}"] += 1
    for _ in range(inputs):
        data = mutated(seeds, rng, parser.binary)
        said = finding(parser, folder, data)
        if said:
            wrong[said] += 1
            Path(tempfile.gettempdir(), f"fuzz-{parser.name.replace(' ', '-')}").write_bytes(data)
    return wrong


def with_coverage(parser: Parser, inputs: int, seed: int, folder: Path) -> None:
    """The same with inputs chosen by atheris; it ends the process at the first finding."""
    import atheris

    def test(data: bytes) -> None:
        if said := finding(parser, folder, data):
            raise RuntimeError(said)

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(parser.seeds()):
        (corpus / str(number)).write_bytes(data)
    longest = 2 * max(map(len, parser.seeds()))
    atheris.Setup([sys.argv[0], str(corpus), f"-runs={inputs}", f"-seed={seed + 1}",
                   f"-max_len={longest}", "-rss_limit_mb=4096"], test)  # fmt: skip
    atheris.Fuzz()


def alone(parsers: list[Parser], inputs: int, seed: int) -> int:
    """Each parser with coverage in a process of its own, which atheris ends."""
    failed = False
    for parser in parsers:
        command = [sys.executable, __file__, "--coverage", "--only", parser.name]
        command += ["--inputs", str(inputs), "--seed", str(seed)]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        told = {"parser": parser.name, "inputs": inputs, "by": "atheris",
                "seconds": round(time.perf_counter() - began, 1)}  # fmt: skip
        findings = [] if done.returncode == 0 else done.stderr.decode(errors="replace")[-2000:]
        print(json.dumps({**told, "findings": findings}), flush=True)
        failed = failed or bool(findings)
    return int(failed)


def main() -> int:
    """Fuzzes the parsers asked for; the exit code is 1 if there are findings."""
    options_ = argparse.ArgumentParser(description=__doc__)
    options_.add_argument("--inputs", type=int, default=100_000, help="for each parser")
    options_.add_argument("--seed", type=int, default=0)
    options_.add_argument("--only", default="", help="parsers whose name begins so")
    options_.add_argument("--coverage", action="store_true")
    options = options_.parse_args()
    warnings.simplefilter("ignore")
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    chosen = [p for p in PARSERS if p.name == options.only]
    chosen = chosen or [p for p in PARSERS if p.name.startswith(options.only)]
    if options.coverage and len(chosen) > 1:
        return alone(chosen, options.inputs, options.seed)
    failed = False
    for parser in chosen:
        with tempfile.TemporaryDirectory(dir=base) as folder:
            began = time.perf_counter()
            if options.coverage:
                with_coverage(parser, options.inputs, options.seed, Path(folder))
                return 0
            try:
                wrong = attack(parser, options.inputs, options.seed, Path(folder))
            except ImportError as error:
                print(f"{parser.name}: left out ({error})")
                continue
        failed = failed or bool(wrong)
        told = {"parser": parser.name, "inputs": options.inputs,
                "seconds": round(time.perf_counter() - began, 1)}  # fmt: skip
        print(json.dumps({**told, "findings": dict(wrong.most_common(8))}), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

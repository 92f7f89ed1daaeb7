"""What hostile input costs: time and peak memory of the command line, each case a new process.

    python benchmarks/hostile_input.py --out hostile.json [--photos 100000] [--names 10000000]

The model is the controlled study's, so that nearly all of it is the input's.
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
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 9_900  # 98 million pixels, just below what is refused
LARGE = 40
RUN = (sys.executable, "-m", "idia_index")
MODEL = "from idia_index.study import ONNX_DIR, candidates; print(ONNX_DIR, *candidates(), sep='|')"
READ = (
    "import sys; from idia_index.prompts.names import read_names; n = read_names(sys.argv[1]); "
    "print(len(n), 'names,', n.duplicate_count, 'left out')"
)

LINT = READ.replace(
    "; print", "; from idia_index.prompts.lint import lint_names as l; print"
).replace("'left out'", "'left out,', len(l(n, ['abcdefghijklmnopqrstuvwxy'])), 'findings listed'")


def measured(*command: object) -> dict[str, Any]:
    """Seconds, peak memory and exit code of a command, and the last line that it wrote."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = process.stdout.read().decode("utf-8", "replace").splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "exit_code": process.returncode,
        "last_line": said[-1][:200] if said else "",
    }


def apart(make: Callable[..., None], *arguments: object) -> None:
    """Makes input in a process of its own: a child's peak counts its parent's memory too."""
    process = get_context("spawn").Process(target=make, args=arguments)
    process.start()
    process.join()


def photos(folder: Path, count: int) -> None:
    """So many small photos, every tenth cut short."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for number in range(count):
        pixels = noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        path = folder / f"{number:06d}.png"
        Image.fromarray(pixels).save(path, compress_level=0)
        if number % 10 == 9:
            os.truncate(path, 300)


def large_photos(folder: Path, count: int) -> None:
    """So many photos of 98 million pixels that lie on their side."""
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (SIDE, SIDE), (90, 120, 150))
    image.save(folder / "000.png", exif=exif, compress_level=1)
    for number in range(1, count):
        # Not the same content: an embedding that is remembered would spare the decoding.
        data = (folder / "000.png").read_bytes()
        (folder / f"{number:03d}.png").write_bytes(data + bytes([number]))


def bomb(path: Path) -> None:
    """A black image of 30,000 x 30,000 pixels in a megabyte."""
    path.parent.mkdir(parents=True)
    Image.new("L", (30_000, 30_000)).save(path, compress_level=9)


def names(path: Path, count: int) -> None:
    """So many names, one in a hundred a repetition in another case."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            first, last = draw.randrange(5_000), number // 100 if number % 100 else number
            name = f"First{first} Last{number}" if number % 100 else f"FIRST1 last{last}"
            file.write(name + "\n")
            if number % 100 == 0 and number:
                file.write(f"First1 Last{last}\n")


def spellings(path: Path, count: int) -> None:
    """One name in so many spellings, at most 2**25 of them."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            letters = zip("abcdefghijklmnopqrstuvwxy", f"{number:025b}", strict=True)
            file.write("".join(c + " -"[bit == "1"] for c, bit in letters).rstrip() + "\n")


def cases(folder: Path, count: int, listed: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """Each case makes its input, and measures."""
    index = folder / "index"
    query = (*RUN, "query", index, "--name", "Jane Doe")

    def many() -> dict[str, Any]:
        apart(photos, folder / "people" / "Jane_Doe", count)
        return measured(*query, folder / "people")

    def reported() -> dict[str, Any]:
        return measured(*RUN, "audit", index, folder / "people", "--out", folder / "report")

    def large() -> dict[str, Any]:
        apart(large_photos, folder / "large", LARGE)
        return measured(*query, folder / "large")

    def bombs() -> dict[str, Any]:
        apart(bomb, folder / "bombs" / "bomb.png")
        return measured(*query, folder / "bombs")

    def read() -> dict[str, Any]:
        apart(names, folder / "names.txt", listed)
        return measured(sys.executable, "-c", READ, folder / "names.txt")

    def looked_through() -> dict[str, Any]:
        apart(names, folder / "names.txt", listed)
        return measured(sys.executable, "-c", LINT, folder / "names.txt")

    def one_name() -> dict[str, Any]:
        apart(spellings, folder / "spellings.txt", listed)
        return measured(sys.executable, "-c", LINT, folder / "spellings.txt")

    return {
        f"query of {count:,} photos in one folder": many,
        "audit of the same, with its report": reported,
        f"query of {LARGE} photos of 98 million pixels": large,
        "query of a PNG of 30,000 x 30,000": bombs,
        f"{listed:,} names read": read,
        f"{listed:,} names read and looked through": looked_through,
        f"{listed:,} spellings of one name, looked through": one_name,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--names", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="cases whose description holds this")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        told = subprocess.run(
            [sys.executable, "-c", MODEL], capture_output=True, text=True, check=True
        )
        model, *candidates = told.stdout.rstrip().split("|")
        (folder / "candidates.txt").write_text("".join(f"{name}\n" for name in candidates))
        built = measured(*RUN, "build", folder / "index", "--model", model,
                         "--names", folder / "candidates.txt")  # fmt: skip
        found = {"build of 1,000 names, for comparison": built}
        for what, case in cases(folder, given.photos, given.names).items():
            if given.only not in what:
                continue
            found[what] = case()
            print(what, found[what], flush=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

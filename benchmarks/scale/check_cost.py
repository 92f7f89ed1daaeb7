"""What the model of `cost.py` says of one build and one audit, beside what they take here.

    python benchmarks/scale/check_cost.py [--names 1000] [--people 10] [--model SPEC]

ViT-B/32 with random weights, 21 templates, photos of 1600 x 1200. The model is asked twice: with
the figures of the documentation, which are those of other machines, and with the rates of a build
of names / 8 and of 30 photos just before, which leaves what the model itself gets wrong. Seconds
are those of the clock, and of a core, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

from cost import PHOTOS, TEMPLATES, Machine
from cost import audit as audit_seconds
from cost import build as build_seconds
from one_run import Spent, both, cross_names, spent
from overhead import material

from idia_index import audit, build_index, open_index
from idia_index.encode.backend import Backend
from idia_index.pipelines.load import load_model
from idia_index.prompts.names import make_names
from idia_index.subjects.records import Subject
from idia_index.support.threads import workers


def measured(backend: Backend, names: int, people: int, photos: Path) -> dict[str, Spent]:
    """A build, and an audit of people who have 30 of the photos each."""
    files = sorted(photos.iterdir())
    listed = cross_names()[:names]
    subjects = [
        Subject(name, tuple(files[place * PHOTOS : (place + 1) * PHOTOS]))
        for place, name in enumerate(listed[:people])
    ]
    with TemporaryDirectory() as folder:
        index = Path(folder) / "i"
        built = spent(lambda: build_index(index, backend, make_names(listed)).close())
        opened = open_index(index)
        return {"build": built, "audit": spent(lambda: audit(opened, backend, subjects))}


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--model", metavar="SPEC")
    options = parser.parse_args()
    told = Machine(f"{workers()} cores", workers())
    with material(options.model, options.people * PHOTOS) as (spec, folder):
        backend = load_model(spec)
        size = options.names // 8
        with TemporaryDirectory() as few:
            for file in sorted(folder.iterdir())[:PHOTOS]:
                copy(file, few)
            rates = both(backend, size, Path(few))
        found = measured(backend, options.names, options.people, folder)
    # A core's seconds are the model's: it shares the work evenly among cores.
    here = replace(
        told,
        prompt_rate=size * TEMPLATES / rates["build"][1],
        photo_core=rates["photos"][1] / PHOTOS,
    )
    print("| what | by | computed | measured: clock | measured: core | computed / measured core |")
    print("| --- | --- | --- | --- | --- | --- |")
    for what, (clock, core) in found.items():
        for name, machine in (("the documentation's rates", told), ("rates measured here", here)):
            seconds = (
                build_seconds(machine, options.names)
                if what == "build"
                else audit_seconds(machine, options.people, options.names)
            )
            computed = seconds * machine.cores
            print(
                f"| {what} | {name} | {computed:.1f} s of a core | {clock:.1f} s | {core:.1f} s "
                f"| {computed / core:.2f} |"
            )


if __name__ == "__main__":
    main()

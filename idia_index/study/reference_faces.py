"""Reference faces for the study: drawn people whom no training image and no subject shows."""

from __future__ import annotations

import os
from pathlib import Path

from idia_index.study.portrait import draw_person
from idia_index.study.subjects import write_png
from idia_index.support.files import private_folder

FIRST_SEED = 900_000_000  # above those of every population
SEXES = ("female", "male")


def write_reference_faces(
    out_dir: str | os.PathLike[str], people: int = 200, images: int = 1
) -> Path:
    """Writes `female/` and `male/` with a folder of portraits for each person.

    Args:
        out_dir: the folder, as `--reference-faces` takes it.
        people: people of each sex.
        images: portraits of each person.
    """
    out = Path(out_dir)
    for number, sex in enumerate(SEXES):
        for place in range(people):
            folder = out / sex / f"{place:04d}"
            private_folder(folder)
            seed = FIRST_SEED + number * people + place
            for image in range(images):
                write_png(draw_person(seed, sex, "report", image), folder / f"{image:02d}.png")
    return out

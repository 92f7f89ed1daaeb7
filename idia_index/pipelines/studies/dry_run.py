"""Dry runs of a study: generated portraits of nobody replace the photos."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from idia_index.pipelines.studies.definition import Study
from idia_index.study.portrait import draw_person
from idia_index.study.subjects import write_png
from idia_index.support.files import private_folder
from idia_index.types import StageProgress

DRY_RUN = (
    "Dry run: the portraits were generated and show nobody, whatever their names. This shows only "
    "that the study runs; its figures say nothing about any person or data set."
)
DEMO_MODEL = (
    "The demo's model knows neither the faces nor most words of the names: what it associates is "
    "chance."
)


def dry_face(name: str) -> tuple[int, str]:
    """Face seed and sex of the portraits for a person of a study."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "little"), ("female", "male")[digest[4] % 2]


def write_dry_images(study: Study, folder: Path, images: int, progress: StageProgress) -> None:
    """Writes generated portraits under the study's names.

    Args:
        study: the study; everyone whom its settings may include gets images.
        folder: the target, with one folder per person.
        images: images per person.
    """
    most = study.settings.max_training_count
    people = [p for p in study.people if most is None or (p.training_count or 0) <= most]
    for done, person in enumerate(people, 1):
        own = folder / person.name.replace(" ", "_")
        private_folder(own)
        seed, sex = dry_face(person.name)
        for number in range(images):
            file = own / f"{number:02d}.png"
            if not file.exists():
                write_png(draw_person(seed, sex, "report", number), file)
        progress("generating portraits", done, len(people))


def fit_to(study: Study, images: int) -> Study:
    """The study adapted to this number of images per person."""
    if images >= study.settings.min_images:
        return study
    sizes = tuple(size for size in study.settings.sizes if size <= images)
    return replace(study, settings=replace(study.settings, min_images=images, sizes=sizes))

"""The paper's studies as recipes: people and settings from a file, images and model from you."""

from __future__ import annotations

import configparser
import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import zip_longest
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import PAPER_DRAWS, PAPER_IMAGES, Settings
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import StageProgress, gather
from idia_index.prompts.names import clean_name, make_names, name_key
from idia_index.prompts.sampling import sample_names
from idia_index.report import write_files
from idia_index.study.portrait import draw_person
from idia_index.study.subjects import write_png
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject, read_subjects
from idia_index.support.csv_lines import table_rows
from idia_index.support.files import private_folder, read_regular
from idia_index.support.number_lists import numbers
from idia_index.support.text import read_lines, shown, shown_path

STUDIES = ("laion400m", "cc3m")

DRY_RUN = (
    "Dry run: the portraits were generated and show nobody, whatever names stand beside them. "
    "This shows that the study runs; its figures say nothing about any person or data set. The "
    "model knows neither the faces nor most words of the names: what it associates is chance."
)


@dataclass(frozen=True)
class Recipe:
    """A study to be run.

    Attributes:
        source: one of `STUDIES`, or the INI file.
        title: as reports show it.
        people: name, membership and training count (None: not known) of everybody.
        candidates: names of the index, those under test among them.
        origin: name statistics that the other candidates are drawn from.
        settings: the evaluation.
        caution: what must be said with the result.
    """

    source: str
    title: str
    people: tuple[Subject, ...]
    candidates: int
    origin: str
    settings: Settings
    caution: str


def read_recipe(study: str) -> Recipe:
    """A recipe of `STUDIES`, or of an INI file like theirs.

    Raises:
        InputError: there is none of that name, or it does not fit.
    """
    if study in STUDIES:
        with resources.as_file(resources.files("idia_index") / "data" / "studies") as folder:
            return _read(folder / f"{study}.ini", study)
    if not Path(study).is_file():
        raise InputError(
            f"study {shown(study)}: give one of {', '.join(STUDIES)}, or the INI file of another"
        )
    return _read(Path(study), os.fsdecode(Path(study).resolve()))


def _read(file: Path, source: str) -> Recipe:
    parser = configparser.ConfigParser(interpolation=None)
    where = shown_path(file)
    try:
        parser.read_string("\n".join(read_lines(file).texts))
        section = parser["study"]
        values = {
            "tau": section.getint("tau", 1),
            "draws": section.getint("draws", PAPER_DRAWS),
            "seed": section.getint("seed", 0),
            "min_images": section.getint("min_images", PAPER_IMAGES),
            "max_training_count": section.getint("max_training_count"),
        }
        settings = Settings(
            sizes=numbers(section.get("sample_sizes", "1,3,..,30"), "sample_sizes"),
            bins=numbers(section["bins"], "bins") if "bins" in section else None,
            **values,  # type: ignore[arg-type]
        )
        people = _people(file.parent / section["people"])
        return Recipe(
            source, section["title"], people, section.getint("candidates", 1000),
            section.get("origin", "us"), settings, section.get("caution", ""),
        )  # fmt: skip
    except (configparser.Error, csv.Error, KeyError, ValueError) as error:
        raise InputError(
            f"{where}: not the recipe of a study ({type(error).__name__}: {error}); "
            "see docs/studies.md"
        ) from error


def _people(file: Path) -> tuple[Subject, ...]:
    rows = table_rows(read_lines(file))
    _, columns = next(rows, (0, []))
    found = []
    for line, cells in rows:
        row = dict(zip_longest(columns, cells))
        name, membership = clean_name(row["name"] or ""), row["membership"] or None
        count = int(row["training_count"]) if row["training_count"] else None
        if not name or membership not in (None, MEMBER, NON_MEMBER) or (count or 0) < 0:
            raise ValueError(f"{shown_path(file)}, line {line}: {shown(row)}")
        found.append(Subject(name, (), membership, count))
    return tuple(found)


def find_images(recipe: Recipe, images: Path) -> tuple[list[Subject], list[str]]:
    """The recipe's people who have a folder of images, and the names of those who have none.

    Args:
        recipe: the study.
        images: one folder per person, called First_Last.

    Raises:
        InputError: nobody of the study has one.
    """
    found = {name_key(subject.name): subject for subject in read_subjects(images)}
    subjects, missing = [], []
    for person in recipe.people:
        seen = found.get(name_key(person.name))
        if seen is None:
            missing.append(person.name)
        else:
            subjects.append(replace(person, images=seen.images, skipped=seen.skipped))
    if not subjects:
        raise InputError(
            f"{shown_path(images)}: holds a folder of nobody in this study; "
            f"the first is {recipe.people[0].name.replace(' ', '_')}"
        )
    return subjects, missing


def study_warnings(recipe: Recipe, *, dry_run: bool) -> list[str]:
    """What must stand first in every report of a study."""
    said = [DRY_RUN] if dry_run else []
    return [*said, recipe.caution] if recipe.caution else said


def dry_face(name: str) -> tuple[int, str]:
    """Face seed and sex of the portraits that stand in for a person of a study."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "little"), ("female", "male")[digest[4] % 2]


def write_dry_images(recipe: Recipe, folder: Path, images: int, progress: StageProgress) -> None:
    """Writes generated portraits under the study's names; they show people who do not exist.

    Args:
        recipe: the study; everybody whom its settings may let in gets images.
        folder: where they go, one folder per person.
        images: of each person.
        progress: called with people done and people in all.
    """
    most = recipe.settings.max_training_count
    people = [p for p in recipe.people if most is None or (p.training_count or 0) <= most]
    for done, person in enumerate(people, 1):
        own = folder / person.name.replace(" ", "_")
        private_folder(own)
        seed, sex = dry_face(person.name)
        for number in range(images):
            file = own / f"{number:02d}.png"
            if not file.exists():
                write_png(draw_person(seed, sex, "report", number), file)
        progress("generating portraits", done, len(people))


def run_study(
    recipe: Recipe,
    images: Path,
    backend: Backend,
    out: Path,
    progress: StageProgress,
    *,
    strict: bool = False,
) -> Evidence:
    """Builds the study's index in `out` and measures everybody who has images.

    Everybody under test and names drawn from name statistics, as many female as male, are the
    candidates. What an earlier run built in `out` is used again.

    Raises:
        InputError: nobody has images, `out` holds another index or list of candidates, or
            `strict` and an image cannot be read.
    """
    subjects, missing = find_images(recipe, images)
    tested = [s for s in subjects if recipe.settings.excludes(s) is None]
    names = candidate_names(recipe, tested)
    _write_candidates(out, names)
    index = build_index(
        out / "study.idia",
        backend,
        make_names(names, "the study's candidates"),
        resume=True,
        progress=lambda done, total: progress("encoding prompts", done, total),
    )
    origin: Mapping[str, object] = {
        "subjects": os.fsdecode(images.resolve()),
        "study": recipe.title,
        "recipe": recipe.source,
        "without_images": missing,
    }
    evidence = gather(index, backend, subjects, recipe.settings, strict=strict, progress=progress)
    return evidence.with_origin(origin)


def _write_candidates(out: Path, names: Sequence[str]) -> None:
    file, text = out / "candidates.txt", "".join(f"{name}\n" for name in names)
    if file.exists() and not _holds(file, text.encode("utf-8")):
        raise InputError(
            f"{shown_path(file)}: holds other names than this study's candidates; give --out a new "
            "folder"
        )
    write_files(out, {file.name: text})


def _holds(file: Path, data: bytes) -> bool:
    try:
        return read_regular(file, len(data)) == data
    except OSError:  # longer, or no file that can be read
        return False


def candidate_names(recipe: Recipe, tested: Sequence[Subject]) -> list[str]:
    """Everybody under test, then drawn names up to the recipe's number of candidates."""
    names = [subject.name for subject in tested]
    others = max(recipe.candidates - len(names), 0)
    if not others:
        return names
    seed = recipe.settings.seed
    return names + sample_names(others, seed, origin=recipe.origin, exclude=names).names()

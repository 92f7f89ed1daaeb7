"""Reads study files: people, candidates and settings; format `idia-index/study/1`.

`idia_index/data/studies/study.schema.json` is the JSON Schema of the format.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.evaluation.settings import PAPER_DRAWS, PAPER_IMAGES, Settings
from idia_index.pipelines.candidates import Drawing
from idia_index.prompts.common_names import PAPER_SEED, PAPER_TOP
from idia_index.prompts.name_table import NAMES
from idia_index.prompts.names import clean_name, each_once, folder_to_name, name_key, read_names
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject
from idia_index.support.files import read_regular
from idia_index.support.tables import read_table
from idia_index.support.text import numbers, shown, shown_path

STUDIES = ("laion400m", "cc3m")
FORMAT = "idia-index/study/1"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class PublishedModel:
    """A model of the published study, as SPECs.

    Attributes:
        label: its label in figures.
        as_published: how the published figures were computed.
        as_trained: with the activation that its weights were trained with.
    """

    label: str
    as_published: str
    as_trained: str


@dataclass(frozen=True)
class CandidateRule:
    """The rule for candidates besides the people of the study.

    Attributes:
        total: target number of candidates.
        drawing: how to draw the rest; its `count` is not used.
        differs: how the lists differ from the published study's, in sentences.
    """

    total: int = 1000
    drawing: Drawing = field(default_factory=lambda: Drawing(0, PAPER_SEED, top=PAPER_TOP))
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study to run.

    Attributes:
        source: one of `STUDIES`, or the file.
        title: the title in reports.
        people: everyone's name, membership and training count (None: unknown).
        competitors: names that are candidates, with or without photos, including `people`'s.
        folder_names: names of people by the `name_key` of differently named folders.
        rule: the other candidates.
        settings: the evaluation.
        checkpoints: whether a model's label is the number of training images of each member.
        models: the published models.
        caution: a caution to state with the result.
        sha256: SHA-256 of the study's files.
    """

    source: str
    title: str
    people: tuple[Subject, ...]
    competitors: tuple[str, ...]
    folder_names: Mapping[str, str]
    rule: CandidateRule
    settings: Settings
    checkpoints: bool
    models: tuple[PublishedModel, ...]
    caution: str
    sha256: str


def read_study(study: str) -> Study:
    """A study of `STUDIES`, or of a file like theirs.

    Raises:
        InputError: no such study, or an invalid file.
    """
    if study in STUDIES:
        with resources.as_file(resources.files("idia_index") / "data" / "studies") as folder:
            return _read(folder / f"{study}.json", study)
    if not Path(study).is_file():
        raise InputError(
            f"study {shown(study)}: choose one of {', '.join(STUDIES)}, or pass a JSON file"
        )
    return _read(Path(study), os.fsdecode(Path(study).resolve()))


_KEYS: dict[str, type] = {
    "format": str, "title": str, "people": str, "also_candidates": str, "folder_names": dict,
    "candidates": dict, "evaluation": dict, "checkpoints": bool, "models": list, "caution": str,
}  # fmt: skip
_CANDIDATE_KEYS: dict[str, type] = {
    "total": int, "top": int, "seed": int, "origin": str, "first_names": str, "surnames": str,
    "differs": list,
}  # fmt: skip
_EVALUATION_KEYS: dict[str, type] = {
    "tau": int, "sample_sizes": str, "draws": int, "seed": int, "min_images": int,
    "max_training_count": int, "bins": str,
}  # fmt: skip
_MODEL_KEYS: dict[str, type] = {"label": str, "as_published": str, "as_trained": str}


def _read(file: Path, source: str) -> Study:
    where = shown_path(file)
    try:
        content = read_regular(file, _MOST_BYTES)
        data = json.loads(content)
        _check(data, _KEYS, "the study", ("format", "title", "people"))
        if data["format"] != FORMAT:
            raise ValueError(f"format is {shown(data['format'])}, not {FORMAT}")
        return _study(data, file.parent, source, content)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, ValueError) as error:
        raise InputError(
            f"{where}: not a study file ({error}); see docs/studies.md for the format"
        ) from error


def _check(data: Any, keys: Mapping[str, type], what: str, needed: tuple[str, ...] = ()) -> None:
    """Raises ValueError unless `data` is an object of these keys and types."""
    if not isinstance(data, dict):
        raise ValueError(f"{what} is {shown(data)}, not an object")
    for key in needed:
        if key not in data:
            raise ValueError(f"{what} has no {key!r}")
    for key, value in data.items():
        if key not in keys:
            raise ValueError(f"{what} has {shown(key)}, which is not a key of the format")
        if not isinstance(value, keys[key]) or (keys[key] is int and isinstance(value, bool)):
            raise ValueError(f"{key!r} of {what} is {shown(value)}")


def _study(data: dict[str, Any], folder: Path, source: str, content: bytes) -> Study:
    people = _people(folder / data["people"])
    digest = hashlib.sha256(content + (folder / data["people"]).read_bytes())
    known = [person.name for person in people]
    if also := data.get("also_candidates"):
        known += list(read_names(folder / also))
        digest.update((folder / also).read_bytes())
    models = data.get("models", [])
    for model in models:
        _check(model, _MODEL_KEYS, "a model", tuple(_MODEL_KEYS))
    return Study(
        source=source,
        title=data["title"],
        people=people,
        competitors=tuple(each_once(known)),
        folder_names={
            name_key(folder_to_name(key)): clean_name(str(name))
            for key, name in data.get("folder_names", {}).items()
        },
        rule=_rule(data.get("candidates", {}), folder),
        settings=_settings(data.get("evaluation", {})),
        checkpoints=data.get("checkpoints", False),
        models=tuple(PublishedModel(**model) for model in models),
        caution=data.get("caution", ""),
        sha256=digest.hexdigest(),
    )


def _rule(data: dict[str, Any], folder: Path) -> CandidateRule:
    _check(data, _CANDIDATE_KEYS, "'candidates'")
    lists = {key: folder / data[key] for key in ("first_names", "surnames") if key in data}
    drawing = Drawing(
        0, data.get("seed", PAPER_SEED), origin=data.get("origin", "us"),
        top=data.get("top", PAPER_TOP), **lists,
    )  # fmt: skip
    return CandidateRule(data.get("total", 1000), drawing, tuple(map(str, data.get("differs", ()))))


def _settings(data: dict[str, Any]) -> Settings:
    _check(data, _EVALUATION_KEYS, "'evaluation'")
    bins = data.get("bins")
    return Settings(
        tau=data.get("tau", 1),
        sizes=numbers(data.get("sample_sizes", "1,3,..,30"), "sample_sizes"),
        draws=data.get("draws", PAPER_DRAWS),
        seed=data.get("seed", 0),
        min_images=data.get("min_images", PAPER_IMAGES),
        max_training_count=data.get("max_training_count"),
        bins=None if bins is None else numbers(bins, "bins"),
    )


def _people(file: Path) -> tuple[Subject, ...]:
    table = read_table(file, {"name": NAMES, "membership": (), "training_count": ()})
    if "name" not in table.columns:
        raise ValueError(f"{table.source} has no column 'name'")
    found = {}
    for row in table.rows():
        name, membership = clean_name(row.get("name")), row.get("membership") or None
        told = row.get("training_count")
        if (
            row.problem or not name or membership not in (None, MEMBER, NON_MEMBER)
            or name_key(name) in found
            or not (told == "" or (told.isascii() and told.isdigit() and len(told) < 16))
        ):  # fmt: skip
            raise ValueError(row.problem or f"{row.place}: {shown(dict(row.cells))}")
        found[name_key(name)] = Subject(name, (), membership, int(told) if told else None)
    if not found:
        raise ValueError(f"{table.source} lists no people")
    return tuple(found.values())


def with_lists(study: Study, first_names: Path | None, surnames: Path | None) -> Study:
    """The study with other lists of names.

    Raises:
        InputError: only one list is given.
    """
    if first_names is None and surnames is None:
        return study
    drawing = replace(study.rule.drawing, first_names=first_names, surnames=surnames)
    return replace(study, rule=replace(study.rule, drawing=drawing))

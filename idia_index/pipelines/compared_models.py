"""Opens the models of `compare` and canary audits: an index, or a SPEC to build one from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.pipelines.build import build_index
from idia_index.pipelines.change import remove_names
from idia_index.pipelines.load import is_index, load_backend_for, load_model
from idia_index.pipelines.readable_names import with_readable_names
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.sampling import sample_names
from idia_index.prompts.templates import JAIR2024, Template
from idia_index.report.comparison import ComparedModel
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.subjects.records import Subject
from idia_index.support.text import shown
from idia_index.types import StageProgress

CANDIDATES = 1000


@dataclass(frozen=True)
class OpenModel:
    """A model with its own index.

    Attributes:
        given: the index or SPEC as given.
        index: the index.
        backend: the model.
        unread: names that the model cannot read, missing from a built index, and why.
    """

    given: str
    index: Index
    backend: Backend
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """The candidates and templates for every model."""

    names: NameList
    templates: tuple[Template, ...]


def candidates_of(subjects: Sequence[Subject], seed: int, who: str) -> NameList:
    """The subjects' names and at least as many others to compete with, 1,000 in all."""
    own = [subject.name for subject in subjects]
    drawn = sample_names(max(CANDIDATES - len(own), len(own)), seed, exclude=own).names()
    return make_names([*own, *drawn], f"{who} and sampled names")


def grid_of(given: Sequence[str], names: Callable[[], NameList]) -> Grid:
    """The names and templates of the first index given; else `names` and the paper's 21.

    Raises:
        InputError: two indexes differ in their names or templates.
    """
    first: tuple[str, Index] | None = None
    for text in given:
        if not is_index(text):
            continue
        index = open_index(text)
        if first is None:
            first = text, index
            continue
        what = "templates" if index.templates != first[1].templates else "candidate names"
        if what == "templates" or set(index.names) != set(first[1].names):
            raise InputError(
                f"{shown(first[0])} and {shown(text)} have different {what}, so they cannot "
                "be compared; build both from the same names and templates, or pass the models"
            )
    if first is None:
        return Grid(names(), JAIR2024)
    return Grid(make_names(first[1].names, first[0]), first[1].templates)


def open_model(
    given: str, grid: Grid, folder: Path, device: str | None, progress: StageProgress
) -> OpenModel:
    """Opens an index with its model, or loads a model and builds an index of the grid.

    Args:
        given: an index, or a SPEC.
        grid: the names and templates to build an index of.
        folder: where to build it.
    """
    progress(f"loading {given}", 0, 0)
    if is_index(given):
        index = open_index(given)
        return OpenModel(given, index, load_backend_for(index, device=device))
    backend = load_model(given, device=device)

    def build(names: NameList) -> Index:
        return build_index(
            folder, backend, names, grid.templates,
            progress=lambda done, total: progress("encoding prompts", done, total),
        )  # fmt: skip

    index, unread = with_readable_names(build, backend, grid.names, grid.templates)
    return OpenModel(given, index, backend, {grid.names[i]: told for i, told in unread.items()})


def with_same_names(models: Sequence[OpenModel]) -> tuple[list[OpenModel], dict[str, str]]:
    """The models with the candidates that all can read, and why the others are left out.

    Raises:
        InputError: a model cannot read a name of a given index.
    """
    unread = {name: told for model in models for name, told in model.unread.items()}
    found = []
    for model in models:
        gone = [name for name in unread if name not in model.unread]
        if gone and is_index(model.given):
            raise InputError(f"{unread[gone[0]]}; or remove it from {shown(model.given)}")
        if gone:
            model.index.close()
            model = replace(model, index=remove_names(model.index.path, make_names(gone)).index)
        found.append(model)
    return found, unread


def check_different(models: Sequence[OpenModel]) -> None:
    """Raises InputError if two of the models are the same."""
    for number, one in enumerate(models):
        for other in models[number + 1 :]:
            if not one.backend.fingerprint.differences(other.backend.fingerprint):
                sha = one.backend.fingerprint.weights_sha256[:12]
                raise InputError(
                    f"{shown(one.given)} and {shown(other.given)} are the same model (weights "
                    f"{sha}...), so there is nothing to compare; pass two different models"
                )


def compared(model: OpenModel) -> ComparedModel:
    """The record of a model for documents."""
    backend = model.backend
    return ComparedModel(
        model.given, backend.model, backend.name, backend.device, backend.fingerprint
    )

"""The index and model that answer: opened once, and kept until another is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.pipelines.build import build_index
from idia_index.pipelines.demo import study_backend
from idia_index.pipelines.load import load_backend_for
from idia_index.prompts.names import make_names
from idia_index.prompts.spelling import misspelt
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.serve.desk import Choice
from idia_index.study import candidates, write_reference_faces
from idia_index.subjects.candidates import near_names
from idia_index.support.files import private_folder
from idia_index.types import StageProgress

FACES, FACE_IMAGES = 250, 5  # drawn people of each sex for comparison, portraits of each


@dataclass(frozen=True)
class Loaded:
    """What answers.

    Attributes:
        index: the index.
        backend: its model.
        faces: where reference faces lie; None: nowhere.
    """

    index: Index
    backend: Backend
    faces: Path | None


class Models:
    """Loads what a choice needs; used by one thread at a time."""

    def __init__(self, practice: Path) -> None:
        self.practice = practice
        self._held: tuple[Choice, Loaded] | None = None

    def load(self, choice: Choice, progress: StageProgress) -> Loaded:
        """The index of a choice, the model that it was built with, and reference faces.

        Raises:
            IdiaIndexError: as `open_index` and `load_backend_for`.
        """
        if self._held is not None and self._held[0] == choice:
            return self._held[1]
        self._held = None
        progress("loading the model", 0, 1)
        if choice.path is None:
            backend = study_backend()
            index = self._practice_index(backend, progress)
            faces: Path | None = self._practice_faces(progress)
        else:
            index = open_index(choice.path)
            backend = load_backend_for(index)
            faces = choice.reference_faces
        loaded = Loaded(index, backend, faces)
        self._held = (choice, loaded)
        return loaded

    def _practice_index(self, backend: Backend, progress: StageProgress) -> Index:
        private_folder(self.practice)
        names = make_names(candidates(), "the study's candidates")
        return build_index(
            self.practice / "index.idia",
            backend,
            names,
            resume=True,
            progress=lambda done, total: progress("encoding the practice prompts", done, total),
        )

    def _practice_faces(self, progress: StageProgress) -> Path:
        folder = self.practice / "faces"
        if not folder.exists():  # written whole or not at all
            progress("drawing people for comparison", 0, 1)
            part = self.practice / "faces.part"
            shutil.rmtree(part, ignore_errors=True)
            write_reference_faces(part, FACES, FACE_IMAGES).rename(folder)
        return folder

    def practice_bytes(self) -> int:
        """Bytes that the practice index takes on disk."""
        return sum(file.stat().st_size for file in self.practice.rglob("*") if file.is_file())

    def delete_practice(self) -> None:
        """Deletes the practice index; it is built again when it is needed."""
        if self._held is not None and self._held[0].path is None:
            self._held = None
        shutil.rmtree(self.practice, ignore_errors=True)


def nearly(choice: Choice, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What those of the names that are no candidates may be misspelt from.

    Raises:
        IdiaIndexError: the index cannot be opened.
    """
    if choice.path is None:
        return misspelt(names, candidates()) or {}
    found = near_names(open_index(choice.path), names)
    return {name: near for name, near in found.items() if near}

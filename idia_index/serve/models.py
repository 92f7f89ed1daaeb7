"""The index and model that answer: opened once, and kept until another is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.pipelines.build import build_index
from idia_index.pipelines.demo import study_backend
from idia_index.pipelines.load import load_backend_for
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.serve.desk import Choice
from idia_index.serve.jobs import Progress
from idia_index.study import candidates
from idia_index.support.files import private_folder


class Models:
    """Loads what a choice needs; used by one thread at a time."""

    def __init__(self, practice: Path) -> None:
        self.practice = practice
        self._held: tuple[Choice, Index, Backend] | None = None

    def load(self, choice: Choice, progress: Progress) -> tuple[Index, Backend]:
        """The index of a choice, and the model that it was built with.

        Raises:
            IdiaIndexError: as `open_index` and `load_backend_for`.
        """
        if self._held is not None and self._held[0] == choice:
            return self._held[1], self._held[2]
        self._held = None
        progress("loading the model", 0, 1)
        if choice.path is None:
            backend = study_backend()
            index = self._practice_index(backend, progress)
        else:
            index = open_index(choice.path)
            backend = load_backend_for(index)
        self._held = (choice, index, backend)
        return index, backend

    def _practice_index(self, backend: Backend, progress: Progress) -> Index:
        private_folder(self.practice.parent)
        names = make_names(candidates(), "the study's candidates")
        return build_index(
            self.practice,
            backend,
            names,
            resume=True,
            progress=lambda done, total: progress("encoding the practice prompts", done, total),
        )

    def practice_bytes(self) -> int:
        """Bytes that the practice index takes on disk."""
        return sum(file.stat().st_size for file in self.practice.rglob("*") if file.is_file())

    def delete_practice(self) -> None:
        """Deletes the practice index; it is built again when it is needed."""
        if self._held is not None and self._held[0].path is None:
            self._held = None
        shutil.rmtree(self.practice, ignore_errors=True)

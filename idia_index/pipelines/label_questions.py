"""Asks a labeler about one image, each question only once even across interruptions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.images import decode_image, hash_image, open_image
from idia_index.encode.label_answers import LabelAnswers
from idia_index.photos.crops import Crop
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.templates import Template
from idia_index.search.index import Index
from idia_index.support.concurrency import in_threads
from idia_index.types import Int64


@dataclass(frozen=True)
class _Prompts:
    """The labels of one template, and their cache key."""

    labels: list[str]
    sha256: str


class Asker:
    """Asks a labeler about images.

    Args:
        index: the candidates; its directory caches the answers.
        labeler: the model.

    Attributes:
        kept: answers of earlier runs.
    """

    def __init__(self, index: Index, labeler: LabelerPlugin) -> None:
        self.labeler = labeler
        self.answers = LabelAnswers(Path(index.path))
        self.kept = len(self.answers)
        self.prompts = [self._filled(index, template) for template in index.templates]

    def _filled(self, index: Index, template: Template) -> _Prompts:
        labels = [template.fill(index.name(place)) for place in range(len(index))]
        of = json.dumps([self.labeler.name, self.labeler.identity, labels])
        return _Prompts(labels, hashlib.sha256(of.encode()).hexdigest())

    def about(self, path: ImageFile, crop: Crop | None, without: int | None) -> Question:
        """The questions about an image; raises InputError if it cannot be read.

        Args:
            path: the image.
            crop: how to crop it first.
            without: a name id; if it is chosen, the question is repeated without it.
        """
        with open_image(path) as file:  # opened once: the cached hash is of the decoded bytes
            digest = hash_image(file, path)
            question = Question(self, digest, "" if crop is None else crop.key, without)
            if not question.is_answered:
                file.seek(0)
                image = decode_image(file, path)
                question.image = image if crop is None else crop(image, path)
        return question


class Question:
    """One image, in all templates.

    Attributes:
        sha256: of the image's file.
        image: the image, if an answer is missing.
    """

    def __init__(self, asker: Asker, sha256: str, cut: str, without: int | None) -> None:
        self.sha256, self._asker, self._without = sha256, asker, without
        self._keys = [f"{sha256}{cut}:{prompts.sha256}" for prompts in asker.prompts]
        self.image: Image.Image | None = None

    @property
    def is_answered(self) -> bool:
        """Whether all answers are cached."""
        known = self._asker.answers.get
        return all(
            (chosen := known(key)) is not None
            and (chosen != self._without or known(self._other(key)) is not None)
            for key in self._keys
        )

    def predictions(self) -> Int64:
        """The name id chosen in each template, int64 [T]."""
        return self._each(self._chosen)

    def rivals(self) -> Int64:
        """The same without the given name; -1 if there is no other."""
        return self._each(self._rival)

    def _each(self, answer: Callable[[int], int]) -> Int64:
        places, concurrency = range(len(self._keys)), self._asker.labeler.concurrency
        if concurrency == 1 or self.image is None:
            return np.array([answer(place) for place in places], np.int64)
        # After an error those under way are waited for, since they are paid.
        return np.array([n for _, n in in_threads(answer, places, concurrency)], np.int64)

    def _chosen(self, template: int) -> int:
        labels = len(self._asker.prompts[template].labels)
        return self._winner(template, self._keys[template], list(range(labels)))

    def _rival(self, template: int) -> int:
        chosen = self._chosen(template)
        if chosen != self._without:
            return chosen
        places = [place for place in range(len(self._asker.prompts[template].labels))
                  if place != chosen]  # fmt: skip
        return self._winner(template, self._other(self._keys[template]), places) if places else -1

    def _other(self, key: str) -> str:
        return f"{key}:without:{self._without}"

    def _winner(self, template: int, key: str, places: list[int]) -> int:
        """The chosen label, by runs and their winners if one question takes fewer labels."""
        answers = self._asker.answers
        if (known := answers.get(key)) is not None:
            return known
        most = self._asker.labeler.most_labels or len(places)
        while len(places) > 1:
            whole = len(places) <= most
            places = [self._best(template, None if whole else key, run)
                      for run in _runs(places, most)]  # fmt: skip
        answers.put(key, places[0])
        return places[0]

    def _best(self, template: int, key: str | None, run: list[int]) -> int:
        """The answer of one question, cached separately if it is one of several."""
        if len(run) == 1:
            return run[0]
        answers, labels = self._asker.answers, self._asker.prompts[template].labels
        part = None
        if key is not None:
            part = f"{key}:{hashlib.sha256(json.dumps(run).encode()).hexdigest()}"
            known = answers.get(part)
            if known is not None and known in run:
                return known
        assert self.image is not None  # decoded because an answer is missing
        chosen = run[self._asker.labeler.choose(self.image, [labels[place] for place in run])]
        if part is not None:
            answers.put(part, chosen)
        return chosen


def _runs(places: list[int], most: int) -> Iterator[list[int]]:
    for start in range(0, len(places), most):
        yield places[start : start + most]

"""What a labeler implements: one image and a list of labels in, one of the labels out.

A black box: only the label is used, no score and no ranking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from idia_index.types import ServiceRecord


@dataclass(frozen=True)
class Questions:
    """The most that a run asks a labeler.

    Attributes:
        calls: number of questions.
        labels: number of labels in all of them.
        label_bytes: their size in UTF-8, to within a few bytes each.
        images: number of images.
        kept: number of cached answers of earlier runs; those questions are not asked again.
    """

    calls: int
    labels: int
    label_bytes: int
    images: int
    kept: int


class LabelerPlugin(ABC):
    """A model that says which of some labels fits an image best; a plugin subclasses it.

    The constructor takes the keyword argument `model`, and also `session` if it is `hosted`, and
    raises an `IdiaIndexError` if it cannot load the model.

    Attributes:
        name: the plugin's name, as in `--labeler`.
        model: what it was loaded from.
        device: what it runs on, as shown to users.
        notes: what users should know about it, one line each.
        most_labels: maximum number of labels in one question; None: no limit. Longer lists are
            asked about in runs, and then the runs' winners, which can differ from one question.
        hosted: whether images and labels leave the machine.
        concurrency: number of questions at a time; `choose` is called in as many threads.
    """

    name: str
    model: str
    device: str
    notes: tuple[str, ...] = ()
    most_labels: int | None = None
    hosted: bool = False
    concurrency: int = 1

    @property
    @abstractmethod
    def identity(self) -> str:
        """What distinguishes the model from others, as far as known."""

    @property
    def service(self) -> ServiceRecord | None:
        """The requests made to a service so far; None if nothing leaves the machine."""
        return None

    def announce(self, questions: Questions) -> None:  # noqa: B027
        """Called before the first question with the most that a run will ask.

        A hosted labeler states the cost, and raises `RefusedError` if it may not send that.
        """

    @abstractmethod
    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        """The index of the label that fits an image best; among equals, the first."""

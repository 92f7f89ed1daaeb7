"""What a labeler implements: one image and a list of labels in, one of the labels out.

A closed box: nothing but the label is trusted, no score and no ranking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from idia_index.types import ServiceRecord


@dataclass(frozen=True)
class Questions:
    """What a run asks a labeler at the most.

    Attributes:
        calls: questions.
        labels: labels in all of them.
        label_bytes: their bytes in UTF-8, as near as a few for each.
        images: images.
        kept: answers of earlier runs that are kept; what they answer is not asked again.
    """

    calls: int
    labels: int
    label_bytes: int
    images: int
    kept: int


class LabelerPlugin(ABC):
    """A model that says which of some labels fits an image best; a plugin subclasses it.

    The constructor takes `model`, and `session` too where it is `hosted`, keywords both, and raises
    an `IdiaIndexError` for what it cannot load.

    Attributes:
        name: the plugin's name, as `--labeler` takes it.
        model: what it was loaded from.
        device: what it runs on, as people are shown it.
        notes: what is to be known of it, a line each.
        most_labels: labels that one question takes; None: no bound. Longer lists are asked about
            in runs, and then about the runs' winners, which can differ from one question.
        hosted: whether images and labels leave the machine.
        concurrency: questions at a time; `choose` is called in as many threads.
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
        """What tells the model from others, as far as it is known."""

    @property
    def service(self) -> ServiceRecord | None:
        """What was asked of a service until now; None where nothing leaves the machine."""
        return None

    def announce(self, questions: Questions) -> None:  # noqa: B027
        """Told, before the first question, what a run asks at the most.

        A hosted labeler says what that costs, and raises `RefusedError` where it may not send it.
        """

    @abstractmethod
    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        """The place of the label that fits an image best; of equals, the first."""

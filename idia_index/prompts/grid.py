"""The T x N prompts of T templates and N names, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

from idia_index.errors import InputError
from idia_index.prompts.templates import Template


@dataclass(frozen=True)
class Prompt:
    """A filled template.

    Attributes:
        template_id: the row of the grid, 0 to T - 1.
        name_id: the column of the grid, 0 to N - 1.
        text: the prompt.
    """

    template_id: int
    name_id: int
    text: str


@dataclass(frozen=True)
class PromptGrid:
    """T templates x N names. Holds the two lists and no prompt.

    Attributes:
        templates: T templates; their positions are the template ids.
        names: N names; their positions are the name ids. Any sequence, read lazily.
    """

    templates: Sequence[Template]
    names: Sequence[str]

    def text_bytes(self) -> int:
        """Bytes of all prompts in UTF-8, as near as a few for each."""
        names = sum(len(name.encode("utf-8")) for name in self.names)
        templates = sum(len(template.text.encode("utf-8")) for template in self.templates)
        return names * len(self.templates) + templates * len(self.names)

    def __post_init__(self) -> None:
        if not self.templates:
            raise InputError("there is no template: give at least one")
        if not self.names:
            raise InputError("there is no candidate name: give at least one")

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.templates), len(self.names)

    def __len__(self) -> int:
        """Number of prompts, T * N."""
        return len(self.templates) * len(self.names)

    def prompt(self, template: SupportsIndex, name: SupportsIndex) -> Prompt:
        """The prompt of a template id and a name id; raises IndexError out of range."""
        t, n = index(template), index(name)
        if t < 0 or n < 0:
            raise IndexError(f"ids count from 0: template {t}, name {n}")
        return Prompt(t, n, self.templates[t].fill(self.names[n]))

    def text(self, template: SupportsIndex, name: SupportsIndex) -> str:
        """The text of one prompt; raises IndexError out of range."""
        return self.prompt(template, name).text

    def texts(self, template: int, names: slice = slice(None)) -> list[str]:
        """Prompts of one template for a run of names, in the order of their ids."""
        fill = self.templates[template].fill
        return [fill(name) for name in self.names[names]]

    def runs(self, size: int) -> Iterator[slice]:
        """Cuts 0..N into runs of `size` names (the last may be shorter), as slices of ids."""
        if size < 1:
            raise InputError(f"a run of {size} names: give a size of 1 or more")
        total = len(self.names)
        return (slice(start, min(start + size, total)) for start in range(0, total, size))

    def run(self, names: slice) -> Iterator[Prompt]:
        """The prompts of all templates for a run of names: template by template, name by name."""
        ids = range(*names.indices(len(self.names)))
        run_names = self.names[names]
        for template_id, template in enumerate(self.templates):
            for name_id, name in zip(ids, run_names, strict=True):
                yield Prompt(template_id, name_id, template.fill(name))

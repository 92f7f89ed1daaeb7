"""The T x N prompts of T templates and N names, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idia_index.errors import InputError
from idia_index.prompts.templates import Template


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
            raise InputError("no templates: pass at least one")
        if not self.names:
            raise InputError("no candidate names: pass at least one")

    def __len__(self) -> int:
        """Number of prompts, T * N."""
        return len(self.templates) * len(self.names)

    def text(self, template: int, name: int) -> str:
        """The text of one prompt."""
        return self.templates[template].fill(self.names[name])

    def texts(self, template: int, names: slice = slice(None)) -> list[str]:
        """Prompts of one template for a run of names, in the order of their ids."""
        fill = self.templates[template].fill
        return [fill(name) for name in self.names[names]]

    def runs(self, size: int) -> Iterator[slice]:
        """Cuts 0..N into runs of `size` names (the last may be shorter), as slices of ids."""
        total = len(self.names)
        return (slice(start, min(start + size, total)) for start in range(0, total, size))

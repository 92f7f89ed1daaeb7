"""What build and add say of names, before a model is loaded."""

from __future__ import annotations

from idia_index.cli import terminal
from idia_index.pipelines.candidates import NameList, findings

MOST = 10


def tell_names(names: NameList) -> None:
    """Notes what is odd about names; the work goes on."""
    terminal.notes(findings(names), MOST, "more like these")


def tell_left_out(what: str, left_out: tuple[str, ...]) -> None:
    """Notes which names or templates were left out."""
    terminal.notes([f"{what}: {text}" for text in left_out], MOST)

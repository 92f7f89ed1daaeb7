"""Where a verb's report goes: asked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from idia_index import Subject
from idia_index.cli.terminal import say
from idia_index.pipelines.report_folder import check_folder
from idia_index.support.text import shown_path


class Told(Protocol):
    """A document that people can read."""

    def to_text(self) -> str:
        """It as text for a terminal."""


def show(result: Told, out: Path | None) -> None:
    """Writes a result to standard output as text, with where its report lies, if there is one."""
    say(result.to_text())
    if out is not None:
        say(f"\nreport: {out / 'index.html'}")


def claim(out: Path | None, subjects: Sequence[Subject] = (), source: Path | None = None) -> None:
    """Notes that an earlier report in `out` will be replaced; with None nothing will be written.

    Raises:
        InputError: something else is there; see `check_folder`.
    """
    if out is not None and check_folder(out, subjects, source):
        say(f"note: {shown_path(out)}: the earlier report there will be replaced", err=True)

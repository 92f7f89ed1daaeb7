"""Where a verb's report goes, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from idia_index import Subject
from idia_index.cli.terminal import say
from idia_index.pipelines.report_folder import check_folder
from idia_index.support.text import shown_path


class Told(Protocol):
    """A document that can be shown on a terminal."""

    def to_text(self) -> str:
        """The document as text for a terminal."""


def show(result: Told, out: Path | None) -> None:
    """Writes a result to standard output as text, and the path of its report, if any."""
    say(result.to_text())
    if out is not None:
        say(f"\nreport: {out / 'index.html'}")


def claim(out: Path | None, subjects: Sequence[Subject] = (), source: Path | None = None) -> None:
    """Notes that an earlier report in `out` will be replaced; does nothing if `out` is None.

    Raises:
        InputError: `out` holds something else; see `check_folder`.
    """
    if out is not None and check_folder(out, subjects, source):
        say(f"note: {shown_path(out)}: the earlier report there will be replaced", err=True)

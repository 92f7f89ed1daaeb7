"""What build and add say about names before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from idia_index.cli import terminal
from idia_index.pipelines.candidates import NameList, findings
from idia_index.support.text import counted

MOST = 10


def tell_names(names: NameList) -> None:
    """Notes what is odd about names; the work continues."""
    terminal.notes(findings(names), MOST, "more like these")


def tell_reading(names: NameList) -> None:
    """Notes how a list of names was read, if that is not obvious."""
    terminal.notes(names.notes, MOST)


def tell_refused(names: NameList | None, unread: Mapping[int, str]) -> None:
    """Warns about unusable names, even with `-q`, since there are fewer candidates."""
    lines = names.refused if names is not None else ()
    count = (names.refused_count if names is not None else 0) + len(unread)
    for reason in [*lines, *unread.values()][:MOST]:
        terminal.say(f"warning: left out: {' '.join(reason.split())}", err=True)
    if count > MOST:
        terminal.say(f"warning: left out: {counted(count - MOST, 'more name')}", err=True)


def tell_left_out(what: str, left_out: tuple[str, ...]) -> None:
    """Notes which names or templates were left out."""
    terminal.notes([f"{what}: {text}" for text in left_out], MOST)

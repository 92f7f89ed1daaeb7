"""Finds English text left in a page of another language."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Words that no German, French or Spanish sentence has, and hardly an English one is without.
ENGLISH = re.compile(
    r"\b(the|and|of|with|that|this|from|are|which|your?|there|than|their|its|they|by|for|is)\b"
)
# Quoted examples, paths, and the journal of the method.
NOT_SAID = re.compile(r"[„«].*?[“»]|\S*/\S*|Journal of Artificial")
SKIPPED = ("script", "style", "svg", "code", "bdi")
VOID = ("meta", "img", "br", "link", "input", "rect")
READ = ("alt", "aria-label", "placeholder", "title")


class _Texts(HTMLParser):
    """Texts that a page shows or reads out, but for what it marks as English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[bool] = []  # of each open tag, whether its texts are skipped

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        skipped = any(self._open) or tag in SKIPPED or (tag != "html" and given.get("lang") == "en")
        if not skipped:
            self.texts += [text for key in READ if (text := given.get(key))]
        if tag not in VOID:
            self._open.append(skipped)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open) and data.strip():
            self.texts.append(" ".join(data.split()))


def texts(page: str) -> list[str]:
    """What a page of another language says in it."""
    read = _Texts()
    read.feed(page)
    return read.texts


def english_left(page: str) -> list[str]:
    """Texts of a page that are English and are not marked so."""
    return [text for text in texts(page) if ENGLISH.search(NOT_SAID.sub("", text))]

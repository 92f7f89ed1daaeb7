"""The language of what people read; documents are made outside `speaking`, and stay English."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "report"
CATALOGUE = Path(__file__).parent / "catalogue"
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}
"""Languages of pages, each with its own name."""

_SPOKEN: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Messages are in one of `LANGUAGES` until the block ends."""
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def spoken() -> str:
    """The language that is spoken."""
    return _SPOKEN.get()


@cache
def _translations(language: str) -> NullTranslations:
    return NullTranslations() if language == "en" else translation(DOMAIN, CATALOGUE, [language])


def _(message: str) -> str:
    """A message in the language that is spoken; `docs/make_catalogue.py` collects its uses."""
    return _translations(_SPOKEN.get()).gettext(message)


def number(value: int) -> str:
    """An integer with its thousands apart: by a comma in English only, where it is no decimal."""
    text = f"{value:,}"
    return text if _SPOKEN.get() == "en" else text.replace(",", "\u202f")


def ngettext(one: str, more: str, count: int) -> str:
    """The same of a message with `{n}`, which stands for the count."""
    said = _translations(_SPOKEN.get()).ngettext(one, more, count)
    return said.replace("{n}", number(count))

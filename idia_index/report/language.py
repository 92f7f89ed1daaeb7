"""The language of pages; documents are made outside `speaking` and stay English."""

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

# A decimal comma, and narrow spaces that do not break between thousands and before a per cent sign.
_FIGURES = str.maketrans({".": ",", ",": "\u202f", "%": "\u202f%"})

_SPOKEN: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Translates messages into one of `LANGUAGES` within the block."""
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def spoken() -> str:
    """The current language."""
    return _SPOKEN.get()


@cache
def _translations(language: str) -> NullTranslations:
    return NullTranslations() if language == "en" else translation(DOMAIN, CATALOGUE, [language])


def _(message: str) -> str:
    """A message in the current language; `docs/make_catalogue.py` collects its uses."""
    return _translations(_SPOKEN.get()).gettext(message)


def figure(text: str) -> str:
    """Converts a number in English format (`1,234.5%`) to the format of the current language."""
    return text if _SPOKEN.get() == "en" else text.translate(_FIGURES)


def number(value: int) -> str:
    """An integer with thousands separators."""
    return figure(f"{value:,}")


def ngettext(one: str, more: str, count: int) -> str:
    """The same for a message with `{n}` for the count."""
    said = _translations(_SPOKEN.get()).ngettext(one, more, count)
    return said.replace("{n}", number(count))

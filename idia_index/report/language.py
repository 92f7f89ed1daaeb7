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

# A decimal comma, and narrow spaces that do not break between thousands and before a per cent sign.
_FIGURES = str.maketrans({".": ",", ",": "\u202f", "%": "\u202f%"})

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


def figure(text: str) -> str:
    """A number as English writes it (`1,234.5%`), as the language that is spoken does."""
    return text if _SPOKEN.get() == "en" else text.translate(_FIGURES)


def number(value: int) -> str:
    """An integer with its thousands apart."""
    return figure(f"{value:,}")


def ngettext(one: str, more: str, count: int) -> str:
    """The same of a message with `{n}`, which stands for the count."""
    said = _translations(_SPOKEN.get()).ngettext(one, more, count)
    return said.replace("{n}", number(count))

"""The language of what people read; documents are made outside `speaking`, and stay English."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "report"
CATALOGUE = Path(__file__).parent / "catalogue"
LANGUAGES = ("en", "de", "fr", "es")

_ENGLISH = NullTranslations()
_SPOKEN: ContextVar[NullTranslations] = ContextVar("language", default=_ENGLISH)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Messages are in one of `LANGUAGES` until the block ends."""
    spoken = _ENGLISH if language == "en" else translation(DOMAIN, CATALOGUE, [language])
    token = _SPOKEN.set(spoken)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def _(message: str) -> str:
    """A message in the language that is spoken; `docs/make_catalogue.py` collects its uses."""
    return _SPOKEN.get().gettext(message)


def ngettext(one: str, more: str, number: int) -> str:
    """The same of a message with `{n}`, which stands for the number."""
    return _SPOKEN.get().ngettext(one, more, number).replace("{n}", f"{number:,}")

"""Reads what an auditor states of an audit, from a TOML file."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from idia_index.errors import InputError
from idia_index.evaluation.evidence import About as About
from idia_index.support.files import read_regular
from idia_index.support.text import check_text, shown, shown_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = tuple(each.name for each in fields(About))
LONGEST = 400
"""Characters of an entry: the first page of the report has to hold all of them."""
MAX_BYTES = 1 << 20


def read_about(path: Path) -> About:
    """What a TOML file states, each key of `About` a text.

    Raises:
        InputError: it cannot be read, or holds another key, or a value that is no short text.
    """
    where = shown_path(path)
    try:
        found = tomllib.loads(read_regular(path, MAX_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise InputError(
            f'{where}: is not TOML in UTF-8 ({error}); write lines such as title = "Audit"'
        ) from error
    unknown = [key for key in found if key not in KEYS]
    if unknown:
        raise InputError(
            f"{where}: {', '.join(map(shown, unknown))} is not a known key; the keys "
            f"are {', '.join(KEYS)}"
        )
    return About(**{key: _entry(value, f"{where}: {key}") for key, value in found.items()})


def _entry(value: object, where: str) -> str:
    if hasattr(value, "isoformat"):  # TOML has dates of its own
        return str(value.isoformat())
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {shown(value)} is not text; put it in quotes, or omit it")
    text = " ".join(value.split())
    check_text(text, where)
    if len(text) > LONGEST:
        raise InputError(f"{where}: has {len(text)} characters; at most {LONGEST} fit")
    return text

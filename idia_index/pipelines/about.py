"""Reads what an auditor states about an audit, from a TOML file."""

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
"""Maximum characters of an entry, so that all fit on the report's first page."""
MAX_BYTES = 1 << 20


def read_about(path: Path) -> About:
    """The statements in a TOML file, with the keys of `About`.

    Raises:
        InputError: it cannot be read, or has an unknown key or a value that is not a short text.
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
            f"{where}: unknown key {', '.join(map(shown, unknown))}; available: {', '.join(KEYS)}"
        )
    return About(**{key: _entry(value, f"{where}: {key}") for key, value in found.items()})


def _entry(value: object, where: str) -> str:
    if hasattr(value, "isoformat"):  # a TOML date
        return str(value.isoformat())
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {shown(value)} is not text; put it in quotes, or omit it")
    text = " ".join(value.split())
    check_text(text, where)
    if len(text) > LONGEST:
        raise InputError(f"{where}: has {len(text)} characters; at most {LONGEST} fit")
    return text

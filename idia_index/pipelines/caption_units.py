"""Searches one file of captions, or a part of one, here or in a worker."""

from __future__ import annotations

import csv
import json
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from idia_index.captions.columns import arrow
from idia_index.captions.matching import Matcher
from idia_index.captions.records import Columns, Source
from idia_index.captions.search import Search, save, search_source
from idia_index.errors import InputError, MissingExtraError
from idia_index.plugins import Task
from idia_index.plugins.engine import Tell
from idia_index.support.text import shown_path


@dataclass(frozen=True)
class Unit:
    """A file of captions, or a part of one, and the name of its results."""

    number: int
    source: Source

    def __str__(self) -> str:
        return shown_path(self.source.place)


@dataclass(frozen=True)
class UnitFiles:
    """The result of a unit: files by name, the last of which marks it as done.

    Attributes:
        files: their content.
        damaged: why it could not be read; None if it could.
    """

    files: dict[str, bytes]
    damaged: str | None


@dataclass
class SearchUnits(Task[Unit, UnitFiles, UnitFiles]):
    """Searches units on workers and returns the results.

    Attributes:
        names: the names to find.
        rule: see `Matcher`.
        columns, identify, hash_files, list_hits: see `Search`.
    """

    names: Sequence[str]
    rule: str
    columns: Columns
    identify: bool
    hash_files: bool
    list_hits: bool

    def setup(self) -> None:
        """Builds the automaton, once per worker."""
        matcher = Matcher(self.names, self.rule)
        self._search = Search(matcher, self.columns, self.identify, self.hash_files, self.list_hits)

    def compute(self, given: Unit, tell: Tell) -> UnitFiles:
        """The files that `search_unit` writes."""
        source = given.source
        if "://" not in source.place and not Path(source.place).exists():
            raise InputError(
                f"{shown_path(source.place)}: not found by a worker; put captions where all "
                "machines see them under the same path"
            )
        with TemporaryDirectory() as folder:
            damaged = search_unit(given, self._search, Path(folder))
            files = sorted(Path(folder).iterdir(), key=lambda path: path.suffix != ".parquet")
            return UnitFiles({path.name: path.read_bytes() for path in files}, damaged)


def search_unit(unit: Unit, search: Search, work: Path) -> str | None:
    """Searches one unit and writes the results; returns the reason if it is damaged."""
    path = unit_file(work, unit.number)
    try:
        table = path.with_suffix(".parquet") if search.list_hits else None
        save(search_source(unit.source, search, table), path)
    except MissingExtraError:
        raise
    except damage() as error:
        return reason(error)
    return None


def unit_file(work: Path, number: int) -> Path:
    """The path of a unit's results, written last."""
    return work / f"{number:06d}.npz"


def damage() -> tuple[type[Exception], ...]:
    """The errors that reading a damaged file raises."""
    kinds: list[type[Exception]] = [
        InputError, OSError, ValueError, EOFError, KeyError, zlib.error, tarfile.TarError,
        csv.Error, json.JSONDecodeError, arrow().ArrowException,
    ]  # fmt: skip
    try:
        import zstandard
    except ImportError:
        pass
    else:
        kinds.append(zstandard.ZstdError)
    return tuple(kinds)


def reason(error: Exception) -> str:
    """The error in one short line; readers may quote the file's content."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "..."

"""Searches captions for names: one process per core, resumable."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from idia_index.captions import parquet
from idia_index.captions.columns import arrow
from idia_index.captions.matching import Matcher
from idia_index.captions.records import Columns, Found, Source
from idia_index.captions.rules import Rule
from idia_index.captions.search import Search, load
from idia_index.captions.sources import expand
from idia_index.errors import IdiaIndexError, InputError
from idia_index.pipelines.caption_units import (
    SearchUnits,
    Unit,
    UnitFiles,
    damage,
    reason,
    search_unit,
    unit_file,
)
from idia_index.plugins import Engine
from idia_index.prompts.packed_names import NameList
from idia_index.support.files import private_folder, write_whole
from idia_index.support.locks import writer_lock
from idia_index.support.text import json_text, shown_path
from idia_index.support.threads import workers as cores
from idia_index.types import StageProgress

WORK = "members.work"


@dataclass(frozen=True)
class Options:
    """How captions are searched: see `idia-index members`.

    `format` None: detect it; `workers` None: one per core; `engine` None: local processes.
    """

    rule: Rule = "name"
    columns: Columns = field(default_factory=Columns)
    format: str | None = None
    unique_by: str | None = None
    hits: bool = False
    strict: bool = False
    identify: bool = True
    hash_files: bool = True
    workers: int | None = None
    engine: Engine | None = None


@dataclass(frozen=True)
class Searched:
    """The search's results on disk.

    Attributes:
        sources: parts of files, in order.
        paths: result file of each source that was read, for `captions.search.load`.
        damaged: files that could not be read, with the reason.
        notes: skipped files, for display.
        matcher: the names and variants.
    """

    sources: list[Source]
    paths: dict[int, Path]
    damaged: dict[str, str]
    notes: list[str]
    matcher: Matcher

    def found(self) -> Iterator[Found]:
        """The results of each source, in order."""
        return (load(path) for path in self.paths.values())


def search_captions(
    captions: Sequence[str], names: NameList, out: Path, options: Options, progress: StageProgress
) -> Searched:
    """Searches all captions; resumes an earlier call with the same arguments.

    The caller must remove the folder `members.work` in `out`.

    Raises:
        InputError: nothing to read, `out` holds another search's work, every file is damaged, or
            one is with `options.strict`.
    """
    arrow()
    sources, notes = expand(captions, options.format)
    damaged: dict[str, str] = {}
    units = _units(sources, damaged)
    matcher = Matcher(names, options.rule)
    search = Search(matcher, options.columns, options.identify, options.hash_files, options.hits)
    work = out / WORK
    private_folder(work)
    with writer_lock(work / "lock"):
        _claim(work, units, names, options)
        jobs = [
            Unit(number, source)
            for number, source in enumerate(units)
            if not unit_file(work, number).exists()
        ]
        for number, why in _run(jobs, search, work, options, progress):
            damaged.setdefault(units[number].place, why)
            if options.strict:
                break
    if damaged and (options.strict or len(damaged) == len(sources)):
        place, reason = next(iter(damaged.items()))
        remedy = "" if ";" in reason else "; check its permissions, repair it or omit it"
        raise InputError(f"{_told(place, reason)}{remedy}")
    paths = {
        number: unit_file(work, number)
        for number, unit in enumerate(units)
        if unit.place not in damaged
    }
    return Searched(units, paths, damaged, notes, matcher)


def remove_work(out: Path) -> None:
    """Removes what a search stored for resuming."""
    shutil.rmtree(out / WORK, ignore_errors=True)


def _told(place: str, reason: str) -> str:
    return reason if place in reason else f"{shown_path(place)}: {reason}"


def _units(sources: list[Source], damaged: dict[str, str]) -> list[Source]:
    """The sources, with large files split into parts."""
    units = []
    for source in sources:
        try:
            units += parquet.parts(source) if source.format == "parquet" else [source]
        except damage() as error:
            damaged[source.place] = reason(error)
    return units


def _claim(work: Path, units: list[Source], names: NameList, options: Options) -> None:
    """Records the search, or checks that the one started here is the same."""
    digest = hashlib.sha256("\n".join(names).encode("utf-8")).hexdigest()
    asked = {
        name: value
        for name, value in asdict(replace(options, engine=None)).items()
        if name not in ("workers", "engine", "strict", "unique_by")
    }
    plan = {
        "format": "idia-index/members-work/1",
        "names": digest,
        "options": asked,
        "sources": [asdict(unit) for unit in units],
    }
    text = json_text(plan, indent=1).encode("utf-8")
    file = work / "plan.json"
    if not any(work.glob("*.npz")):
        write_whole(file, text)
    elif not file.is_file() or file.read_bytes() != text:
        raise InputError(
            f"{shown_path(work)}: holds an unfinished search with other names, captions or "
            "options; remove it or pass another folder with --out"
        )


_searching: Search | None = None  # what a worker inherits


def _run(
    jobs: list[Unit], search: Search, work: Path, options: Options, progress: StageProgress
) -> Iterator[tuple[int, str]]:
    """Runs the jobs; yields those that failed, with the reason."""
    total = sum(unit.source.size for unit in jobs) >> 20
    done = 0
    outcomes = _on_cores if options.engine is None else _on_engine
    for unit, why in outcomes(jobs, search, work, options):
        done += unit.source.size
        progress("searching captions, MiB of files", done >> 20, total)
        if why is not None:
            yield unit.number, why


def _on_engine(
    jobs: list[Unit], search: Search, work: Path, options: Options
) -> Iterator[tuple[Unit, str | None]]:
    assert options.engine is not None
    found: list[tuple[Unit, str | None]] = []

    def collect(unit: Unit, made: UnitFiles) -> None:
        for name, data in made.files.items():
            write_whole(work / name, data)
        found.append((unit, made.damaged))

    task = SearchUnits(
        list(search.matcher.names), search.matcher.rule, search.columns, search.identify,
        search.hash_files, search.list_hits,
    )  # fmt: skip
    options.engine.run(task, jobs, collect, lambda _: None)
    yield from found


def _on_cores(
    jobs: list[Unit], search: Search, work: Path, options: Options
) -> Iterator[tuple[Unit, str | None]]:
    global _searching
    _searching = search
    workers = min(options.workers or cores(), len(jobs))
    if workers <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from (_work(unit, work) for unit in jobs)
        return
    context = multiprocessing.get_context("fork")  # the automaton is shared, however large
    parent = os.getpid()
    with ProcessPoolExecutor(workers, context, _watch, (parent,)) as pool:
        try:
            begun = [pool.submit(_work, unit, work) for unit in jobs]
            yield from (each.result() for each in as_completed(begun))
        except BrokenProcessPool as error:
            raise IdiaIndexError(
                "a process of the search was killed, possibly for lack of memory; run the same "
                "command with fewer --workers to resume"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _work(unit: Unit, work: Path) -> tuple[Unit, str | None]:
    assert _searching is not None
    return unit, search_unit(unit, _searching, work)


def _watch(parent: int) -> None:
    """Ends a worker whose parent was killed: nobody would collect its results."""

    def look() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(0.5)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()

"""Repairs what `verify` finds damaged: shards from the model, lookups from the names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import FILE
from idia_index.errors import DamagedIndexError
from idia_index.pipelines.changing import Change, changing
from idia_index.pipelines.shard_writing import (
    Counter,
    Piece,
    announce,
    confirm,
    new_parts,
    write_lookup,
)
from idia_index.pipelines.verify import Finding, verify
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import make_templates
from idia_index.store.manifest import ShardEntry, can_be_repaired
from idia_index.types import CountProgress, quiet

LOOKUP_FILES = (".keys", ".sums")


@dataclass(frozen=True)
class RepairResult:
    """What was wrong with an index and was repaired.

    Attributes:
        path: directory of the index.
        findings: the damage found.
        encoded: files of shards that were encoded again.
        lookups: whether the name lookups were rewritten.
    """

    path: str
    findings: tuple[Finding, ...]
    encoded: int
    lookups: bool


def repair(
    path: str | os.PathLike[str], backend: Backend, progress: CountProgress = quiet
) -> RepairResult:
    """Encodes only the damaged shards again.

    An interrupted repair is resumed; an unfinished `add` starts over after it.

    Raises:
        InputError: there is no index, the model is another one, or the damage cannot be repaired
            from the model: the manifest, a file of names, the list of removed names.
    """
    where = os.fsdecode(Path(path).resolve())
    with changing(path, damaged=True) as change:
        store, findings = change.store, verify(path, backend)
        if any(finding.file == FILE for finding in findings):
            (store.path / FILE).unlink(missing_ok=True)
        lost = [f for f in findings if f.part is None and not can_be_repaired(f.file)]
        if lost:
            raise DamagedIndexError(
                f"{store.path / lost[0].file}: {lost[0].problem}; the model cannot restore names: "
                "copy the file from a backup, or rebuild the index"
            )
        if not findings:
            return RepairResult(where, (), 0, False)
        bad = sorted(
            {(f.shard, f.part) for f in findings if f.shard is not None and f.part is not None}
        )
        announce(backend, (PromptGrid(piece.templates, piece.names) for piece in _bad(change, bad)))
        change.check_model(backend)
        # An add's notes use the numbers after the manifest's, too.
        change.begin("repair", parts=bad)
        shards = _encode(change, backend, bad, progress)
        fixed = replace(change.manifest, shards=tuple(shards))
        lookups = any(finding.file.endswith(LOOKUP_FILES) for finding in findings)
        if lookups:
            names = change.index.stored_names
            every = (name for place in range(len(shards)) for name in names.shard(place))
            number = change.manifest.next_number + len(bad)
            fixed = replace(fixed, lookups=(write_lookup(store, number, 0, every),))
        change.finish(fixed, {"action": "repair", "parts": len(bad)})
    return RepairResult(where, tuple(findings), len(bad), lookups)


def _bad(change: Change, bad: list[tuple[int, int]]) -> Iterator[Piece]:
    """The contents of the bad parts."""
    texts, shards = change.manifest.plan.templates, change.manifest.shards
    for number, (shard, place) in enumerate(bad, change.manifest.next_number):
        part = shards[shard].parts[place]
        first = part.first_template
        templates = make_templates(texts[first : first + part.templates])
        names = change.index.stored_names.shard(shard)
        yield Piece(number, names, templates, first_template=first)


def _encode(
    change: Change, backend: Backend, bad: list[tuple[int, int]], progress: CountProgress
) -> list[ShardEntry]:
    """The shards, with new files for the bad parts."""
    plan, shards = change.manifest.plan, list(change.manifest.shards)
    prompts = sum(shards[s].count * shards[s].parts[p].templates for s, p in bad)
    written = new_parts(
        backend, change.store, plan.kind, _bad(change, bad), Counter(prompts, progress)
    )
    confirm(change.store, backend)
    for (shard, place), part in zip(bad, written, strict=True):
        parts = list(shards[shard].parts)
        parts[place] = part
        shards[shard] = replace(shards[shard], parts=tuple(parts))
    return shards

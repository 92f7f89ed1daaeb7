"""Checks an index completely: every byte, row and name, and a sample against the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import FILE, damaged
from idia_index.errors import IdiaIndexError
from idia_index.plugins import ScoredShard, Shard
from idia_index.prompts.names import name_key
from idia_index.search.index import Index
from idia_index.search.open import open_as_is, type_of
from idia_index.store.directory import Store
from idia_index.store.manifest import (
    BACKUP,
    FileEntry,
    Manifest,
    PartEntry,
    ShardEntry,
    can_be_repaired,
)
from idia_index.store.name_lookup import KEY_BYTES, lookup_files
from idia_index.store.stored_names import StoredNames
from idia_index.support.files import sha256_file
from idia_index.types import CountProgress, quiet

SAMPLE = 64  # prompts to encode again
ROWS = 4096
# A float32 row has unit length within rounding; the same prompt in another batch gives the same
# row within the rounding of the model's products, which is larger in half precision.
UNIT = 1e-5
AGREES = 1e-4
AGREES_HALF = 0.05
# Quantizing to one byte per dimension has been seen to lose 0.01, and `compact` adds errors up.
ROUNDED = 0.125


@dataclass(frozen=True)
class Finding:
    """A defect of an index.

    Attributes:
        file: the file's name.
        problem: what is wrong with it.
        shard: number of its shard; None for a file of the whole index.
        part: number of the shard's part; None for its names.
    """

    file: str
    problem: str
    shard: int | None = None
    part: int | None = None


def verify(
    path: str | os.PathLike[str],
    backend: Backend | None = None,
    *,
    seed: int = 0,
    progress: CountProgress = quiet,
) -> list[Finding]:
    """Checks all files of an index against the manifest, and all rows for plausibility.

    Args:
        backend: the model of the index, to encode a sample of prompts again; None omits that.
        seed: seed of the sample.

    Returns:
        the defects; empty if all is well.

    Raises:
        InputError: there is no index, its manifest is damaged, or the model is another one.
    """
    store = Store(Path(path))
    manifest, held = store.read_held()
    try:
        findings = list(_files(store, manifest, progress))
        if problem := damaged(store.path, manifest.plan.fingerprint.dim):
            findings.append(Finding(FILE, problem))
        if all(f.file == FILE for f in findings):
            findings += _rows(store, manifest)
            findings += _names(store, manifest)
        if backend is not None:
            bad = {(f.shard, f.part) for f in findings}
            usable = not any(f.part is None for f in findings if f.file != FILE)
            if usable:
                index = open_as_is(store)
                try:
                    findings += _sample(index, backend, seed, bad)
                finally:
                    index.close()
    finally:
        held.close()
    return findings


def file_count(path: Path) -> int:
    """Number of files that `verify` reads; raises InputError if there is no index."""
    manifest, held = Store(path).read_held()
    held.close()
    return len(manifest.files()) + 1


def advice(path: Path, findings: Sequence[Finding]) -> str:
    """What to do; `repair` does nothing while a file is lost that a model cannot restore."""
    said = f"{path}: {len(findings)} damaged"
    lost = [finding.file for finding in findings if not can_be_repaired(finding.file)]
    if not lost:
        return f"{said}; repair with: idia-index repair {path}"
    return f"{said}; of {lost[0]}: {BACKUP}"


def entries(manifest: Manifest) -> Iterator[tuple[FileEntry, int | None, int | None]]:
    """Every file with its shard and part."""
    for number, shard in enumerate(manifest.shards):
        yield shard.names, number, None
        for part, entry in enumerate(shard.parts):
            yield entry.file, number, part
    for lookup in manifest.lookups:
        yield lookup.keys, None, None
        yield lookup.sums, None, None
    if manifest.removed:
        yield manifest.removed, None, None


def _files(store: Store, manifest: Manifest, progress: CountProgress) -> Iterator[Finding]:
    found = list(entries(manifest))
    for done, (entry, shard, part) in enumerate(found, 1):
        if problem := _changed(store.path / entry.file, entry):
            yield Finding(entry.file, problem, shard, part)
        progress(done, len(found))


def _changed(path: Path, entry: FileEntry) -> str | None:
    if path.is_symlink() or not path.is_file():
        return "is missing"
    try:
        if path.stat().st_size != entry.bytes:
            return f"has {path.stat().st_size} bytes, the manifest says {entry.bytes}"
        if sha256_file(path) != entry.sha256:
            return "was changed: its SHA-256 is not the manifest's"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _rows(store: Store, manifest: Manifest) -> Iterator[Finding]:
    index_type, dim = type_of(manifest, store), manifest.plan.fingerprint.dim
    for number, shard in enumerate(manifest.shards):
        for place, part in enumerate(shard.parts):
            path = store.path / part.file.file
            try:
                opened = index_type.open_shard(path, (part.templates, shard.count, dim))
                problem = _bad_row(opened, part, shard)
            except IdiaIndexError as error:
                problem = str(error)
            if problem:
                yield Finding(part.file.file, problem, number, place)


def _bad_row(opened: Shard, part: PartEntry, shard: ShardEntry) -> str | None:
    # A larger claimed error would hide more damage.
    if isinstance(opened, ScoredShard) and (most := max(part.errors)) > ROUNDED:
        return f"its claimed error of {most:.3g} is more than quantizing can cause"
    for template, error in enumerate(part.errors):
        for start in range(0, shard.count, ROWS):
            ids = np.arange(start, min(start + ROWS, shard.count))
            rows = opened.text_embeddings(template, ids).astype(np.float64)
            lengths = np.sqrt((rows**2).sum(axis=1))
            bad = ~(np.abs(lengths - 1) <= UNIT + error)
            if bad.any():
                row = int(np.argmax(bad))
                return (
                    f"row {start + row} of template {part.first_template + template} has length "
                    f"{lengths[row]:.6g}, not 1"
                )
    return None


def _names(store: Store, manifest: Manifest) -> Iterator[Finding]:
    names = StoredNames(store.path, manifest)
    for lookup in manifest.lookups:
        mine = range(lookup.first, lookup.first + lookup.count)
        numbers = [n for n, shard in enumerate(manifest.shards) if shard.first in mine]
        keys = (name_key(name) for number in numbers for name in names.shard(number))
        written = [(store.path / f.file).read_bytes() for f in (lookup.keys, lookup.sums)]
        right = len(written[0]) == KEY_BYTES * lookup.count
        if not right or list(lookup_files(keys)) != written:
            yield Finding(lookup.keys.file, "does not match the names")


def _sample(
    index: Index, backend: Backend, seed: int, bad: set[tuple[int | None, int | None]]
) -> Iterator[Finding]:
    manifest, random = index.manifest, np.random.default_rng(seed)
    places = [
        (number, place)
        for number, shard in enumerate(manifest.shards)
        for place in range(len(shard.parts))
        if (number, place) not in bad
    ]
    chosen = [places[i] for i in random.permutation(len(places))[:SAMPLE]]
    each = max(1, SAMPLE // max(1, len(chosen)))
    samples = []
    for number, place in sorted(chosen):
        shard = manifest.shards[number]
        part = shard.parts[place]
        rows = random.integers(0, shard.count, each)
        templates = random.integers(0, part.templates, each)
        names = index.stored_names.shard(number)
        texts = [
            index.templates[part.first_template + t].fill(names[r])
            for t, r in zip(templates.tolist(), rows.tolist(), strict=True)
        ]
        samples.append((number, place, templates, rows, texts))
    asked = [text for *_, texts in samples for text in texts]
    backend.announce(len(asked), 0, sum(len(text.encode("utf-8")) for text in asked))
    index.check_backend(backend)
    half = {manifest.plan.fingerprint.precision, backend.fingerprint.precision} != {"float32"}
    for number, place, templates, rows, texts in samples:
        shard, part = manifest.shards[number], manifest.shards[number].parts[place]
        wanted = embeddings.encode_texts(backend, texts)
        for t, r, row, text in zip(templates, rows, wanted, texts, strict=True):
            stored = index.stored_rows(int(part.first_template + t), np.array([shard.first + r]))
            off = float(np.linalg.norm(stored[0].astype(np.float64) - row))
            if not off <= part.errors[t] + (AGREES_HALF if half else AGREES):
                yield Finding(
                    part.file.file,
                    f"the row of {text!r} is {off:.2g} away from the model's",
                    number,
                    place,
                )
                break

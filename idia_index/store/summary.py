"""Summarizes an index for documents: its manifest without the table of shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from idia_index.store.manifest import Manifest
from idia_index.support.documents import Json
from idia_index.types import Fingerprint


@dataclass(frozen=True)
class IndexSummary:
    """An index and what it was built from.

    Attributes:
        path: its directory.
        format: the format of its manifest.
        candidates: number of candidate names.
        shards: number of shards.
        bytes: size of all its files except the manifest.
        kind: index type.
        exact: whether its answers are those of float32 cosine similarity.
        backend: name of the backend that encoded its texts.
        model: SPEC of the model.
        load_options: keywords besides the SPEC that load the model the same way.
        fingerprint: the model's fingerprint.
        shard_names: number of names of a full shard.
        names_sha256: SHA-256 of all names, one per line.
        pool: how to repeat the sampling of its names; null if they were not sampled.
        model_notes: where the model's settings come from, and what is assumed.
        templates: number of templates.
        stored_error: the largest difference between a float32 row and the row as stored.
        waiting_for_compact: removed names that are still on disk.
        history: the changes since it was built, oldest first.
        versions: versions of the libraries that last wrote it.
    """

    path: str
    format: str
    candidates: int
    shards: int
    bytes: int
    kind: str
    exact: bool
    backend: str
    model: str
    load_options: Mapping[str, Json]
    fingerprint: Fingerprint
    shard_names: int
    names_sha256: str
    pool: Mapping[str, Json] | None
    model_notes: tuple[str, ...]
    templates: int
    stored_error: float
    waiting_for_compact: int
    history: tuple[Mapping[str, Json], ...]
    versions: Mapping[str, str]


def summarize(path: Path, manifest: Manifest) -> IndexSummary:
    """The summary of an index in a directory, whose path is made absolute."""
    plan = manifest.plan
    errors = [e for shard in manifest.shards for part in shard.parts for e in part.errors]
    return IndexSummary(
        path=str(path.resolve()),
        format=manifest.format,
        candidates=manifest.candidates,
        shards=len(manifest.shards),
        bytes=sum(file.bytes for file in manifest.files()),
        kind=plan.kind,
        exact=plan.exact,
        backend=plan.backend,
        model=plan.model,
        load_options=plan.load_options,
        fingerprint=plan.fingerprint,
        shard_names=plan.shard_names,
        names_sha256=plan.names_sha256,
        pool=plan.pool,
        model_notes=plan.model_notes,
        templates=len(plan.templates),
        stored_error=max(errors, default=0.0),
        waiting_for_compact=manifest.removed_count,
        history=manifest.history,
        versions=manifest.versions,
    )

"""The manifest: what an index is, written last, so that an index without one is unfinished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from idia_index.errors import InputError
from idia_index.records import Fingerprint

FORMAT = "idia-index/index/1"


@dataclass(frozen=True)
class FileEntry:
    """A file of an index: its plain name, size in bytes, and SHA-256."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ShardEntry:
    """A run of names: the id of its first, how many, their file and their embeddings' file."""

    first: int
    count: int
    names: FileEntry
    embeddings: FileEntry


@dataclass(frozen=True)
class BuildPlan:
    """What a build was asked for; a build that resumes must be asked for the same.

    Attributes:
        kind: index kind.
        exact: whether its answers are those of float32 cosine similarity.
        backend: name of the backend.
        model: SPEC of the model, local paths absolute.
        load_options: keywords beside the SPEC that load the model as it was loaded.
        fingerprint: what the model is.
        templates: the templates as given, in order.
        shard_names: names of a full shard.
        names_sha256: SHA-256 of all names, a line each.
        candidates: how many names.
        pool: what replays a sampled pool (origin, seed, weighting, SHA-256), None for a file.
    """

    kind: str
    exact: bool
    backend: str
    model: str
    load_options: Mapping[str, Any]
    fingerprint: Fingerprint
    templates: tuple[str, ...]
    shard_names: int
    names_sha256: str
    candidates: int
    pool: Mapping[str, Any] | None


@dataclass(frozen=True)
class Manifest:
    """A finished index: the plan it was built from, its shards, what built it."""

    plan: BuildPlan
    shards: tuple[ShardEntry, ...]
    versions: Mapping[str, str]

    @property
    def candidates(self) -> int:
        """Number of candidate names."""
        return sum(shard.count for shard in self.shards)

    def summary(self) -> dict[str, Any]:
        """What reports state of an index."""
        return {
            "format": FORMAT,
            "candidates": self.candidates,
            "shards": len(self.shards),
            "bytes": sum(s.embeddings.bytes + s.names.bytes for s in self.shards),
            **{k: v for k, v in asdict(self.plan).items() if k not in ("templates", "candidates")},
            "templates": len(self.plan.templates),
            "versions": dict(self.versions),
        }


def plan_to_json(plan: BuildPlan) -> dict[str, Any]:
    """A plan as JSON data."""
    return {**asdict(plan), "templates": list(plan.templates)}


def plan_from_json(data: Mapping[str, Any]) -> BuildPlan:
    """Reads `plan_to_json`'s data; raises KeyError, TypeError or ValueError where it is not."""
    return BuildPlan(
        kind=str(data["kind"]),
        exact=bool(data["exact"]),
        backend=str(data["backend"]),
        model=str(data["model"]),
        load_options=dict(data["load_options"]),
        fingerprint=Fingerprint.from_json(data["fingerprint"]),
        templates=tuple(str(template) for template in data["templates"]),
        shard_names=int(data["shard_names"]),
        names_sha256=str(data["names_sha256"]),
        candidates=int(data["candidates"]),
        pool=None if data["pool"] is None else dict(data["pool"]),
    )


def _file_entry(data: Mapping[str, Any]) -> FileEntry:
    entry = FileEntry(str(data["file"]), int(data["bytes"]), str(data["sha256"]))
    # A name with a separator, or "..", would lead out of the index directory.
    if not entry.file.replace("-", "").replace(".", "").isalnum() or entry.file.startswith("."):
        raise ValueError(f"{entry.file!r} is no plain file name")
    if entry.bytes < 0:
        raise ValueError(f"{entry.file!r} has {entry.bytes} bytes")
    return entry


def shard_from_json(data: Mapping[str, Any]) -> ShardEntry:
    """Reads a shard entry; raises KeyError, TypeError or ValueError where it is not one."""
    entry = ShardEntry(
        int(data["first"]),
        int(data["count"]),
        _file_entry(data["names"]),
        _file_entry(data["embeddings"]),
    )
    if entry.first < 0 or entry.count < 1:
        raise ValueError(f"a shard of {entry.count} names from {entry.first}")
    return entry


def manifest_text(manifest: Manifest) -> str:
    """The manifest file's text."""
    data = {
        "format": FORMAT,
        "plan": plan_to_json(manifest.plan),
        "shards": [asdict(shard) for shard in manifest.shards],
        "versions": dict(manifest.versions),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def parse_manifest(text: str, path: object) -> Manifest:
    """Reads a manifest file's text.

    Raises:
        InputError: it is damaged, or of another format version.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise InputError(
                f"{path}: format {data['format']!r}, this version reads {FORMAT!r}; "
                "build the index again or use the version that wrote it"
            )
        shards = tuple(shard_from_json(shard) for shard in data["shards"])
        manifest = Manifest(plan_from_json(data["plan"]), shards, dict(data["versions"]))
        _check_runs(manifest)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged manifest ({type(error).__name__}: {error}); build the index again"
        ) from error
    return manifest


def _check_runs(manifest: Manifest) -> None:
    expected = 0
    for shard in manifest.shards:
        if shard.first != expected:
            raise ValueError(f"shards do not join at name {expected}")
        expected += shard.count
    if not expected:
        raise ValueError("no shards")
    if not manifest.plan.templates:
        raise ValueError("no templates")
    if expected != manifest.plan.candidates:
        raise ValueError(f"shards hold {expected} names, the plan {manifest.plan.candidates}")

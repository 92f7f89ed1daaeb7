"""The manifest, written last: sealed with its own checksum, read in every format there was."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from idia_index.errors import DamagedIndexError, InputError
from idia_index.store.manifest import (
    FORMAT,
    BuildPlan,
    FileEntry,
    LookupEntry,
    Manifest,
    PartEntry,
    ShardEntry,
)
from idia_index.support.documents import from_json, to_object
from idia_index.support.text import shown
from idia_index.support.text_lines import MAX_LINE_BYTES

__all__ = ["FORMAT", "BuildPlan", "FileEntry", "LookupEntry", "Manifest", "PartEntry", "ShardEntry"]

MAX_BYTES = 64 << 20
"""Longest manifest that is read: about 90,000 shards, 6 TB."""

DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading data that is not of the form expected ends in."""

T = TypeVar("T")

FORMAT_1 = "idia-index/index/1"
_SEAL = ',\n "sha256": "'
_END = '"\n}\n'
# A number and what the file is; a name with a separator, or "..", would lead out of the directory.
_FILE = re.compile(r"[0-9]{6,12}(\.[A-Za-z0-9-]{1,40}){1,3}")
_MOST = 1 << 62


def seal(data: Mapping[str, Any]) -> str:
    """JSON text of `data` and, as its last field, the SHA-256 of all text before that field."""
    body = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f"{body}{_SEAL}{hashlib.sha256(body.encode()).hexdigest()}{_END}"


def check_seal(text: str) -> None:
    """Raises ValueError if a single bit of `seal`'s text was changed."""
    body, found, _ = text.rpartition(_SEAL)
    if not found or text != f"{body}{_SEAL}{hashlib.sha256(body.encode()).hexdigest()}{_END}":
        raise ValueError("it does not match its own checksum")


def file_from_json(data: Mapping[str, Any]) -> FileEntry:
    """Reads a file's entry; raises KeyError, TypeError or ValueError where it is not one."""
    entry = FileEntry(
        _of(str, data["file"]), _whole(data["bytes"], most=1 << 50), _of(str, data["sha256"])
    )
    if not _FILE.fullmatch(entry.file):
        raise ValueError(f"{shown(entry.file)} is no plain file name")
    return entry


def _of(sort: type[T], value: object) -> T:
    """A value of that very JSON type; raises TypeError for another."""
    if type(value) is not sort:
        raise TypeError(f"{shown(value)} is no {sort.__name__}")
    return value


def _whole(value: object, *, least: int = 0, most: int = _MOST) -> int:
    """An integer in range; raises TypeError or ValueError for anything else."""
    number = _of(int, value)
    if not least <= number <= most:
        raise ValueError(f"{shown(number)} is not from {least} to {most}")
    return number


def part_from_json(data: Mapping[str, Any]) -> PartEntry:
    """Reads a part's entry; raises KeyError, TypeError or ValueError where it is not one."""
    part = PartEntry(
        _whole(data["first_template"]),
        file_from_json(data["file"]),
        tuple(float(error) for error in _of(list, data["errors"])),
    )
    if not part.errors or not all(0 <= error < float("inf") for error in part.errors):
        raise ValueError(f"{part.file.file!r} has the errors {shown(part.errors)}")
    return part


def shard_from_json(data: Mapping[str, Any], templates: int | None = None) -> ShardEntry:
    """Reads a shard entry; raises KeyError, TypeError or ValueError where it is not one.

    `templates` is given for format 1, whose shards have one float32 file for all of them.
    """
    if templates is None:
        parts = tuple(part_from_json(part) for part in data["parts"])
    else:
        parts = (PartEntry(0, file_from_json(data["embeddings"]), (0.0,) * templates),)
    entry = ShardEntry(
        _whole(data["first"]), _whole(data["count"], least=1), file_from_json(data["names"]), parts
    )
    if not entry.count <= entry.names.bytes <= entry.count * (MAX_LINE_BYTES + 1):
        raise ValueError(f"{entry.names.file!r} has {entry.names.bytes} bytes, {entry.count} names")
    return entry


def _lookup_from_json(data: Mapping[str, Any]) -> LookupEntry:
    return LookupEntry(
        _whole(data["first"]),
        _whole(data["count"], least=1),
        file_from_json(data["keys"]),
        file_from_json(data["sums"]),
    )


def manifest_text(manifest: Manifest) -> str:
    """The manifest file's text, in the newest format."""
    return seal(
        {
            "format": FORMAT,
            "plan": to_object(manifest.plan),
            "shards": [asdict(shard) for shard in manifest.shards],
            "lookups": [asdict(lookup) for lookup in manifest.lookups],
            "removed": asdict(manifest.removed) if manifest.removed else None,
            "removed_count": manifest.removed_count,
            "history": [dict(event) for event in manifest.history],
            "versions": dict(manifest.versions),
        }
    )


def parse_manifest(text: str, path: object) -> Manifest:
    """Reads a manifest file's text, of this format or an older one.

    Raises:
        InputError: it is damaged, or of a format that this version does not know.
    """
    try:
        if text.count("{") + text.count("[") > len(text) // 16 + 10_000:
            raise ValueError("more lists and objects than a manifest has")  # each takes memory
        data = json.loads(text)
        format_ = _of(str, data["format"])
        if format_ not in (FORMAT, FORMAT_1):
            raise DamagedIndexError(
                f"{path}: format {shown(format_)}, this version reads {FORMAT!r} and older; "
                "rebuild the index or use the version that wrote it"
            )
        if format_ == FORMAT:
            check_seal(text)
        manifest = _parse_1(data) if format_ == FORMAT_1 else _parse_2(data)
        _check(manifest)
    except InputError:
        raise
    except DAMAGED as error:
        raise DamagedIndexError(
            f"{path}: damaged manifest ({type(error).__name__}: {error!s:.300}); rebuild the index"
        ) from error
    return manifest


def _parse_1(data: Mapping[str, Any]) -> Manifest:
    """Format 1: no checksum of its own, no lookups, no parts, nothing removed."""
    plan = from_json(BuildPlan, data["plan"], "plan")
    shards = tuple(shard_from_json(shard, len(plan.templates)) for shard in data["shards"])
    return Manifest(plan, shards, dict(data["versions"]), format=FORMAT_1)


def _parse_2(data: Mapping[str, Any]) -> Manifest:
    return Manifest(
        plan=from_json(BuildPlan, data["plan"], "plan"),
        shards=tuple(shard_from_json(shard) for shard in data["shards"]),
        versions=dict(data["versions"]),
        lookups=tuple(_lookup_from_json(lookup) for lookup in data["lookups"]),
        removed=file_from_json(data["removed"]) if data["removed"] else None,
        removed_count=_whole(data["removed_count"]),
        history=tuple(dict(event) for event in data["history"]),
    )


def _check(manifest: Manifest) -> None:
    expected, templates = 0, len(manifest.plan.templates)
    if not templates:
        raise ValueError("no templates")
    for shard in manifest.shards:
        if shard.first != expected:
            raise ValueError(f"shards do not join at name {expected}")
        expected += shard.count
        reached = 0
        for part in shard.parts:
            if part.first_template != reached:
                raise ValueError(f"parts do not join at template {reached}")
            reached += part.templates
        if reached != templates:
            raise ValueError(f"a shard has {reached} templates, the plan {templates}")
    if not 0 < expected <= _MOST:
        raise ValueError(f"shards of {expected} names in all")
    files = [file.file for file in manifest.files()]
    if len(set(files)) != len(files):
        raise ValueError("a file stands there twice")
    if not 0 <= manifest.removed_count < expected:
        raise ValueError(f"{manifest.removed_count} of {expected} names are removed")
    if (manifest.removed is None) != (manifest.removed_count == 0):
        raise ValueError("the removed names' file does not fit their number")
    if manifest.candidates != manifest.plan.candidates:
        raise ValueError(f"{manifest.candidates} names, the plan {manifest.plan.candidates}")
    covered = 0
    for lookup in manifest.lookups:
        if lookup.first != covered:
            raise ValueError(f"lookups do not join at name {covered}")
        covered += lookup.count
    if manifest.lookups and covered != expected:
        raise ValueError(f"lookups cover {covered} names of {expected}")

"""Writes the manifest, sealed with its own checksum, and reads every earlier format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idia_index.errors import DamagedIndexError, InputError
from idia_index.store.manifest import FORMAT, Manifest
from idia_index.support.documents import from_json, to_object
from idia_index.support.text import shown

MAX_BYTES = 64 << 20
"""Maximum size of a manifest: about 90,000 shards, 6 TB."""

DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""Errors raised by reading data of an unexpected form."""

FORMAT_1 = "idia-index/index/1"
_SEAL = ',\n "sha256": "'
_END = '"\n}\n'
_KEYS = (
    "format", "plan", "shards", "lookups", "removed", "removed_count", "history", "versions",
)  # fmt: skip


def seal(data: Mapping[str, Any]) -> str:
    """JSON text of `data` with the SHA-256 of all preceding text as the last field."""
    body = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f"{body}{_SEAL}{hashlib.sha256(body.encode()).hexdigest()}{_END}"


def check_seal(text: str) -> None:
    """Raises ValueError if any bit of `seal`'s text was changed."""
    body, found, _ = text.rpartition(_SEAL)
    if not found or text != f"{body}{_SEAL}{hashlib.sha256(body.encode()).hexdigest()}{_END}":
        raise ValueError("it does not match its own checksum")


def manifest_text(manifest: Manifest) -> str:
    """The manifest file's text, in the newest format."""
    data = to_object(replace(manifest, format=FORMAT))
    return seal({key: data[key] for key in _KEYS})


def parse_manifest(text: str, path: object) -> Manifest:
    """Reads a manifest file's text, of this format or an older one.

    Raises:
        InputError: it is damaged, or of an unknown format.
    """
    try:
        if text.count("{") + text.count("[") > len(text) // 16 + 10_000:
            raise ValueError("more lists and objects than a manifest has")  # each takes memory
        data = json.loads(text)
        if data["format"] not in (FORMAT, FORMAT_1):
            raise DamagedIndexError(
                f"{path}: format {shown(data['format'])}, this version reads {FORMAT!r} and older; "
                "rebuild the index or use the version that wrote it"
            )
        if data["format"] == FORMAT:
            check_seal(text)
        manifest = from_json(Manifest, _upgraded(data) if data["format"] == FORMAT_1 else data)
        _check(manifest)
    except InputError:
        raise
    except DAMAGED as error:
        raise DamagedIndexError(
            f"{path}: damaged manifest ({type(error).__name__}: {error!s:.300}); rebuild the index"
        ) from error
    return manifest


def _upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Format 1, whose shards have one float32 file for all templates, in the terms of format 2."""
    errors = [0.0] * len(data["plan"]["templates"])
    shards = [
        {**shard, "parts": [{"first_template": 0, "file": shard["embeddings"], "errors": errors}]}
        for shard in data["shards"]
    ]
    return {**data, "shards": shards}


def _check(manifest: Manifest) -> None:
    expected, templates = 0, len(manifest.plan.templates)
    if not templates:
        raise ValueError("no templates")
    for shard in manifest.shards:
        if shard.first != expected:
            raise ValueError(f"shards are not contiguous at name {expected}")
        expected += shard.count
        reached = 0
        for part in shard.parts:
            if part.first_template != reached:
                raise ValueError(f"parts are not contiguous at template {reached}")
            reached += part.templates
        if reached != templates:
            raise ValueError(f"a shard has {reached} templates, the plan {templates}")
    if not expected:
        raise ValueError("no shards")
    files = [file.file for file in manifest.files()]
    if len(set(files)) != len(files):
        raise ValueError("a file is listed twice")
    if not 0 <= manifest.removed_count < expected:
        raise ValueError(f"{manifest.removed_count} of {expected} names are removed")
    if (manifest.removed is None) != (manifest.removed_count == 0):
        raise ValueError("the removed names' file does not match their number")
    if manifest.candidates != manifest.plan.candidates:
        raise ValueError(f"{manifest.candidates} names, the plan {manifest.plan.candidates}")
    covered = 0
    for lookup in manifest.lookups:
        if lookup.first != covered:
            raise ValueError(f"lookups are not contiguous at name {covered}")
        covered += lookup.count
    if manifest.lookups and covered != expected:
        raise ValueError(f"lookups cover {covered} names of {expected}")

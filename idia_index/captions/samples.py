"""Reads webdataset tars, and folders of KEY.txt and KEY.json files, into batches."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

from idia_index.captions.columns import as_bytes, list_batch
from idia_index.captions.layouts import CAPTION_COLUMNS, detect
from idia_index.captions.records import Batch, Columns, Layout, Source
from idia_index.captions.sources import open_source
from idia_index.errors import InputError

_ROWS = 5_000
_MOST = 64 << 20  # bytes of one caption or JSON file
_TEXT = "txt"

Sample = dict[str, Any]
"""A sample's content: its key as `__key__`, its text as `txt`, and the fields of its JSON."""


def layout_of(source: Source, wanted: Columns) -> Layout:
    """The layout, from the first sample: its text file, or else its JSON's caption field."""
    first = next(_samples(source), None)
    if first is None:
        raise InputError(f"{source.place}: no sample has a .txt or .json file; pass other CAPTIONS")
    layout = detect(list(first), wanted, source.place)
    captions = layout.captions
    if not wanted.captions and _TEXT in first:
        captions = (_TEXT,)  # used for training; the JSON repeats it
    form = "webdataset" if source.format == "tar" else "folder of samples"
    ids = {**layout.ids, "key": layout.ids.get("key", "__key__")}
    return Layout(form, captions, ids, layout.status, layout.faces_blurred)


def read(source: Source, layout: Layout) -> Iterator[Batch]:
    """The samples; one without a caption still counts as a record."""
    samples = _samples(source)
    first = 0
    while block := list(islice(samples, _ROWS)):
        captions = [[t for c in layout.captions for t in as_bytes(s.get(c))] for s in block]
        ids = {kind: [s.get(column) for s in block] for kind, column in layout.ids.items()}
        yield list_batch(captions, range(first, first + len(block)), ids)
        first += len(block)


def _samples(source: Source) -> Iterator[Sample]:
    members = _tar(source) if source.format == "tar" else _folder(source)
    for key, group in groupby(members, key=lambda member: member[0]):
        sample: Sample = {}
        for _, suffix, content in group:
            if suffix == _TEXT:
                sample[_TEXT] = content.decode("utf-8", "surrogateescape")
            else:
                _add_json(sample, content)
        if sample:
            sample["__key__"] = key
            yield sample


def _add_json(sample: Sample, content: bytes) -> None:
    try:
        fields = json.loads(content.decode("utf-8", "replace"))
    except ValueError:
        return  # the sample has its text, or no caption
    if isinstance(fields, dict):
        for name, value in fields.items():
            if name != _TEXT or _TEXT not in sample:
                sample[name] = value
    elif isinstance(fields, str | list):
        sample[CAPTION_COLUMNS[0]] = fields


def _tar(source: Source) -> Iterator[tuple[str, str, bytes]]:
    """Key, suffix and content of every .txt and .json member, in the tar's order."""
    with open_source(source.place) as opened:
        file = _Tail(opened)
        yield from _tar_members(file)
        while file.read(1 << 20):
            pass
        if file.tail.strip(b"\0"):  # Python's reader does not check this
            raise tarfile.ReadError("truncated: the end-of-archive blocks are missing")


class _Tail:
    """A file that keeps the last block read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tail = b""

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.tail = (self.tail + block)[-tarfile.BLOCKSIZE :]
        return block


def _tar_members(file: Any) -> Iterator[tuple[str, str, bytes]]:
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            key, suffix = _split(member.name)
            if member.isfile() and suffix in (_TEXT, "json"):
                content = tar.extractfile(member)
                assert content is not None
                yield key, suffix, _whole(content.read(_MOST + 1), member.name)
            tar.members.clear()  # type: ignore[attr-defined]  # or it would grow with the tar


def _folder(source: Source) -> Iterator[tuple[str, str, bytes]]:
    for name in sorted((path.name for path in Path(source.place).iterdir()), key=_split):
        key, suffix = _split(name)
        if suffix in (_TEXT, "json"):
            with open_source(str(Path(source.place) / name)) as file:
                yield key, suffix, _whole(file.read(_MOST + 1), name)


def _split(name: str) -> tuple[str, str]:
    """Key and suffix as webdataset splits them: at the first dot of the file name."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return folder + slash + stem, suffix.lower()


def _whole(content: bytes, name: str) -> bytes:
    if len(content) > _MOST:
        raise ValueError(f"{name} has more than {_MOST:,} bytes")
    return content

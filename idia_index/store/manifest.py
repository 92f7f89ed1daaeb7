"""Records of the manifest: an index, its shards, their files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idia_index.support.text import shown
from idia_index.support.text_lines import MAX_LINE_BYTES
from idia_index.types import Fingerprint

FORMAT = "idia-index/index/2"
# A number and the kind of file; a separator or ".." would lead out of the directory.
_FILE = re.compile(r"[0-9]{6,12}(\.[A-Za-z0-9-]{1,40}){1,3}")


@dataclass(frozen=True)
class FileEntry:
    """A file of an index: its plain name, size in bytes, and SHA-256."""

    file: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if not _FILE.fullmatch(self.file) or not 0 <= self.bytes <= 1 << 50:
            raise ValueError(
                f"{shown(self.file)} is not a plain file name, or {self.bytes} not a size"
            )


@dataclass(frozen=True)
class PartEntry:
    """The text embeddings of a run of templates for a shard's names, in one file.

    Attributes:
        first_template: id of its first template.
        file: the file, in the format of the index type.
        errors: for each of its templates, the largest difference between a float32 row as encoded
            and as stored, measured when the shard was written; 0.0 for index types that store
            float32.
    """

    first_template: int
    file: FileEntry
    errors: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.errors or not all(0 <= error < float("inf") for error in self.errors):
            raise ValueError(f"{self.file.file!r} has the errors {shown(self.errors)}")

    @property
    def templates(self) -> int:
        """Number of its templates."""
        return len(self.errors)

    def files(self) -> list[FileEntry]:
        """All its files."""
        return [self.file]


@dataclass(frozen=True)
class ShardEntry:
    """A run of names: first stored id, number, file of names, files of embeddings.

    A shard has one part from its build and one more for each addition of templates.
    """

    first: int
    count: int
    names: FileEntry
    parts: tuple[PartEntry, ...]

    def __post_init__(self) -> None:
        file, count = self.names, self.count
        if not 1 <= count <= file.bytes <= count * (MAX_LINE_BYTES + 1):
            raise ValueError(f"{file.file!r} has {file.bytes} bytes, {count} names")

    def files(self) -> list[FileEntry]:
        """All its files."""
        return [self.names, *(part.file for part in self.parts)]


@dataclass(frozen=True)
class LookupEntry:
    """The sorted name keys of a run of names (see `name_lookup`), and their checksums.

    Attributes:
        first, count: the stored ids of the names it covers.
        keys: the file of keys.
        sums: the file of the keys' checksums, one per block.
    """

    first: int
    count: int
    keys: FileEntry
    sums: FileEntry

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"{self.keys.file!r} finds {self.count} names")


@dataclass(frozen=True)
class BuildPlan:
    """What a build was asked for; a resumed build must be asked for the same.

    In the manifest of an index that has grown, it is the plan of a single build of the same names
    and templates.

    Attributes:
        kind: the index type; the field has this name on disk.
        exact: whether its answers are those of float32 cosine similarity.
        backend: name of the backend.
        model: SPEC of the model, local paths absolute.
        load_options: keywords besides the SPEC that load the model the same way.
        fingerprint: the model's fingerprint.
        templates: the templates as given, in order.
        shard_names: number of names of a full shard.
        names_sha256: SHA-256 of all names, one per line.
        candidates: number of names.
        pool: how to repeat a sampled pool (origin, seed, weighting, SHA-256), None for a file.
        model_notes: where the model's settings come from and what is assumed, one line each; none
            in older indexes.
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
    model_notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if min(self.shard_names, self.candidates) < 1:
            raise ValueError(f"{self.candidates} names in shards of {self.shard_names}")


@dataclass(frozen=True)
class Manifest:
    """A finished index.

    Attributes:
        plan: its content, and the model that made it.
        shards: its shards, in the order of their names' stored ids.
        versions: versions of the libraries that last wrote it, and the device that encoded its
            first texts.
        lookups: finds names by their keys; empty in an index of format 1.
        removed: the stored ids of removed names that wait for `compact`, int64, ascending, in one
            file; None if there are none.
        removed_count: their number.
        history: the changes since it was built, oldest first.
        format: the format it was read from.
    """

    plan: BuildPlan
    shards: tuple[ShardEntry, ...]
    versions: Mapping[str, str]
    lookups: tuple[LookupEntry, ...] = ()
    removed: FileEntry | None = None
    removed_count: int = 0
    history: tuple[Mapping[str, Any], ...] = ()
    format: str = FORMAT

    @property
    def stored(self) -> int:
        """Number of names on disk, including removed ones."""
        return self.shards[-1].first + self.shards[-1].count

    @property
    def candidates(self) -> int:
        """Number of candidate names."""
        return self.stored - self.removed_count

    @property
    def next_number(self) -> int:
        """The next unused number for the files of a run of names."""
        files = [file.file for file in self.files()]
        return 1 + max(int(name.split(".")[0]) for name in files)

    def files(self) -> list[FileEntry]:
        """All files of the index except the manifest."""
        found = [file for shard in self.shards for file in shard.files()]
        found += [file for lookup in self.lookups for file in (lookup.keys, lookup.sums)]
        return found + ([self.removed] if self.removed else [])


REPAIR = "fix it with: idia-index repair"
BACKUP = "no model can restore it: copy the file from a backup, or rebuild the index"

# No model knows the names, nor which of them were removed.
_ONLY_HERE = (".names.txt", ".removed")


def can_be_repaired(file: str) -> bool:
    """Whether `repair` can recreate a file of this name: shards and lookups."""
    return not file.endswith(_ONLY_HERE)


def remedy(file: str) -> str:
    """The fix for a file of this name."""
    return REPAIR if can_be_repaired(file) else BACKUP

"""The manifest's records: what an index is, its shards, their files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idia_index.support.text import shown
from idia_index.support.text_lines import MAX_LINE_BYTES
from idia_index.types import Fingerprint

FORMAT = "idia-index/index/2"
# A number and what the file is; a name with a separator, or "..", would lead out of the directory.
_FILE = re.compile(r"[0-9]{6,12}(\.[A-Za-z0-9-]{1,40}){1,3}")


@dataclass(frozen=True)
class FileEntry:
    """A file of an index: its plain name, size in bytes, and SHA-256."""

    file: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if not _FILE.fullmatch(self.file) or not 0 <= self.bytes <= 1 << 50:
            raise ValueError(f"{shown(self.file)} is no plain file name, or {self.bytes} no size")


@dataclass(frozen=True)
class PartEntry:
    """The text embeddings of a run of templates for a shard's names, in one file.

    Attributes:
        first_template: id of its first template.
        file: the file, in the format of the index type.
        errors: for each of its templates, the longest difference between a float32 row as it
            was encoded and as it is stored, measured when the shard was written; 0.0 for index
            types that store float32.
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
    """A run of names: the stored id of its first, how many, their file, their embeddings' files.

    A shard has one part from its build and one more for each time that templates were added.
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
    """The sorted name keys of a run of names (see `lookup`), and the sums that check them.

    Attributes:
        first, count: the stored ids of the names it covers.
        keys: the file of keys.
        sums: the file of the keys' checksums, block by block.
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
    """What a build was asked for; a build that resumes must be asked for the same.

    In the manifest of an index that has grown it says what a build at once of the same names
    and templates would have been asked for.

    Attributes:
        kind: the index type; the field has this name on disk.
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
        model_notes: what was taken from where to load the model, and what is assumed, a line
            each; none in an index that was written before they were kept.
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
        plan: what it holds, and what model made it.
        shards: its shards, in the order of their names' stored ids.
        versions: versions of the libraries that wrote it last, and the device that encoded its
            first texts.
        lookups: finds names by their keys; empty in an index of format 1.
        removed: the stored ids of the names that were removed and wait for `compact`, int64,
            ascending, in one file; None if there are none.
        removed_count: how many they are.
        history: what was done to it since it was built, oldest first.
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
        """Number of names on disk, removed ones too."""
        return self.shards[-1].first + self.shards[-1].count

    @property
    def candidates(self) -> int:
        """Number of candidate names."""
        return self.stored - self.removed_count

    @property
    def next_number(self) -> int:
        """The number that new files of a run of names are called by; none of it is in use."""
        files = [file.file for file in self.files()]
        return 1 + max(int(name.split(".")[0]) for name in files)

    def files(self) -> list[FileEntry]:
        """All files of the index but the manifest."""
        found = [file for shard in self.shards for file in shard.files()]
        found += [file for lookup in self.lookups for file in (lookup.keys, lookup.sums)]
        return found + ([self.removed] if self.removed else [])


REPAIR = "fix it with: idia-index repair"
BACKUP = "no model can restore it: copy the file from a backup, or rebuild the index"

# Names are on no model, and neither is which of them were removed.
_ONLY_HERE = (".names.txt", ".removed")


def can_be_repaired(file: str) -> bool:
    """Whether `repair` makes a file of this name again; it does so for shards and lookups."""
    return not file.endswith(_ONLY_HERE)


def remedy(file: str) -> str:
    """What to do about a file of this name."""
    return REPAIR if can_be_repaired(file) else BACKUP

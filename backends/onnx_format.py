"""Reads and checks the directory of an export: its manifest and its files.

manifest.json     written last; lists the others with size and SHA-256
image.onnx        pixels float32 [m, 3, H, W] -> embeddings float32 [m, D]
text.onnx         ids, positions int64 [B, n], mask bool [B, n, n], reads int64 [p]
                  -> embeddings float32 [p, D]
*.onnx.data       the weights of a graph, mapped into memory
merges.txt        merges of the tokenizer
"""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from idia_index.backends.clip_bpe import CLEANING
from idia_index.backends.weights_hash import weights_sha256
from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import ModelError, RefusedError
from idia_index.support.documents import from_json
from idia_index.support.files import read_regular, to_read
from idia_index.support.text import shown
from idia_index.types import Fingerprint

FORMAT = "idia-index/onnx/1"
MANIFEST = "manifest.json"
IMAGE_GRAPH = "image.onnx"
TEXT_GRAPH = "text.onnx"
MERGES = "merges.txt"
DATA_SUFFIX = ".data"

DTYPES = ("float32", "float16")
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 40
MAX_CONTEXT = 1 << 16
MAX_PACK_NODES = 1 << 14
MAX_PACK_BATCH = 1 << 10

_REQUIRED = (IMAGE_GRAPH, TEXT_GRAPH, MERGES)
# File names are fixed, so that a manifest cannot point outside its directory.
ALLOWED = (*_REQUIRED, IMAGE_GRAPH + DATA_SUFFIX, TEXT_GRAPH + DATA_SUFFIX)
_FIX = "export the model again"


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its plain name, size in bytes, and SHA-256."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ExportManifest:
    """The manifest of an export.

    Attributes:
        fingerprint: the source model's; `precision` is the export's.
        dtype: how the weights are stored, one of `DTYPES`; computation is in float32.
        context_length: maximum tokens of a prompt, including the two special tokens.
        clean: how the tokenizer cleans texts.
        preprocessing: how images become pixels.
        pack_nodes: maximum nodes of a tree, chosen for a CPU.
        pack_batch: trees per batch, chosen for one core.
        files: every other file of the directory.
        versions: the libraries that made the export.
        notes: how the source model was loaded, and what was assumed.
        logit_scale: the source model's; None in exports that predate it.
    """

    fingerprint: Fingerprint
    dtype: str
    context_length: int
    clean: str
    preprocessing: Preprocessing
    pack_nodes: int
    pack_batch: int
    files: tuple[ExportFile, ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()
    logit_scale: float | None = None

    def __post_init__(self) -> None:
        names = [entry.file for entry in self.files]
        if sorted(set(names)) != sorted(names) or not set(_REQUIRED) <= set(names):
            raise ValueError(f"files {names}")
        for entry in self.files:
            if entry.file not in ALLOWED or not 0 < entry.bytes <= MAX_FILE_BYTES:
                raise ValueError(f"file {entry.file!r} of {entry.bytes} bytes")
        for what, value, most in (
            ("context length", self.context_length, MAX_CONTEXT),
            ("pack nodes", self.pack_nodes, MAX_PACK_NODES),
            ("pack batch", self.pack_batch, MAX_PACK_BATCH),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{what} {value}")
        if self.logit_scale is not None and not 0 < self.logit_scale < math.inf:
            raise ValueError(f"logit scale {self.logit_scale}")
        if self.dtype not in DTYPES or self.clean not in CLEANING:
            raise ValueError(f"dtype {self.dtype!r}, cleaning {self.clean!r}")


def manifest_text(manifest: ExportManifest) -> str:
    """The text of the manifest file."""
    data = {"format": FORMAT, **asdict(manifest)}
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> ExportManifest:
    """Reads and checks an export's manifest; no other file is opened.

    Raises:
        ModelError: not an export, another format version, or a damaged manifest.
    """
    path = folder / MANIFEST
    data = _read_json(folder, path)
    if data.get("format") != FORMAT:
        raise ModelError(
            f"{path}: format {shown(data.get('format'))}, this version reads {FORMAT!r}; {_FIX}"
        )
    try:
        return from_json(ExportManifest, data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelError(
            f"{path}: damaged manifest ({type(error).__name__}: {shown(error, 300)[1:-1]}); {_FIX}"
        ) from error


def _read_json(folder: Path, path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(read_regular(path, MAX_MANIFEST_BYTES).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(
            f"{folder} is not an export, it has no {MANIFEST}; make one: idia-index export"
        ) from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ModelError(f"{path}: too large for the manifest of an export; {_FIX}") from error
        told = to_read(error, _FIX)
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {told}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: damaged manifest ({error}); {_FIX}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path}: damaged manifest (not an object); {_FIX}")
    return data


def list_files(folder: Path) -> tuple[ExportFile, ...]:
    """Every file of an export that is being written."""
    return tuple(
        ExportFile(name, (folder / name).stat().st_size, weights_sha256(folder / name))
        for name in ALLOWED
        if (folder / name).exists()
    )


def verify_files(folder: Path, manifest: ExportManifest) -> None:
    """Checks that every file is present, complete and unaltered.

    Hashes of unchanged files are cached, so only the first load of an export reads all of it.

    Raises:
        ModelError: a file is missing or has another size or SHA-256.
        RefusedError: a file is a link.
    """
    for entry in manifest.files:
        path = folder / entry.file
        if path.is_symlink():
            raise RefusedError(f"{path}: links are not followed; copy the file here")
        if not path.is_file():
            raise ModelError(f"{path}: is missing; {_FIX}")
        size = path.stat().st_size
        if size != entry.bytes:
            raise ModelError(f"{path}: has {size} bytes, the manifest says {entry.bytes}; {_FIX}")
    for entry in manifest.files:
        path = folder / entry.file
        if weights_sha256(path) != entry.sha256:
            raise ModelError(f"{path}: was altered after the export (SHA-256); {_FIX}")

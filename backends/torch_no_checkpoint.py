"""Recognizes files that are not checkpoints, and says what to do with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from idia_index.backends.torch_mapped import MappedFile

_STARTS = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer instead of the file; fetch it: git lfs pull",
    ),
    (b"GGUF", "a GGUF file, which is not supported; name the model's PyTorch or safetensors file"),
    (b"\x89HDF", "an HDF5 file of TensorFlow or Keras; convert the model to safetensors"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x93NUMPY", "a NumPy array, not a checkpoint; save the model's state_dict as safetensors"),
    (b"<!DOCTYPE", "a web page instead of the file; download the file itself"),
    (b"<!doctype", "a web page instead of the file; download the file itself"),
    (b"<html", "a web page instead of the file; download the file itself"),
    (b"ustar", "a tar archive; unpack it first"),
)
_TAR_MAGIC = 257


def what_it_is(path: Path, mapped: MappedFile) -> str | None:
    """The kind of a file, by its first bytes, and the fix; None if they do not tell."""
    if mapped.size == 0:
        return "is empty; download or save it again"
    head = mapped.head(512)
    for start, line in _STARTS:
        at = _TAR_MAGIC if start == b"ustar" else 0
        if head[at:].startswith(start):
            return f"is {line}"
    if head.startswith(b"PK\x03\x04"):
        return _what_zip_it_is(path)
    pickled = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if pickled and not mapped.begins(_LEGACY):
        return (
            "is a plain pickle, not written by torch.save; save the model's state_dict with "
            "torch.save, or preferably as safetensors"
        )
    return None


def _what_zip_it_is(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # With a missing or damaged end, zipfile raises many kinds of errors.
    except Exception:  # noqa: BLE001
        return "is truncated: a ZIP archive without its end; download it again"
    if any(name.endswith("/data.pkl") for name in names):
        return None
    if any(name.endswith("/models/model.json") for name in names):
        return "is a torch.export program; save the model's state_dict with torch.save"
    return "is a ZIP archive that torch.save did not write; unpack it first"


_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

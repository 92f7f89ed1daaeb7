"""The SPEC of a model, as `--model` takes it: which architecture, and where its weights are.

Pure: looks at the file system to tell paths from tags, and at nothing else.
"""

# ruff: noqa: PTH110, PTH112, PTH113 - those of pathlib raise for a name too long for a file system

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from os import R_OK, X_OK, access
from os.path import exists, isdir, isfile
from pathlib import Path

from idia_index.errors import ModelError
from idia_index.support.files import NO_RIGHT, local_path
from idia_index.support.text import shown, shown_path

HUB_PREFIX = "hf-hub:"
FOLDER_PREFIX = "local-dir:"
CHECKPOINT_SUFFIXES = frozenset(
    {".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".npz", ".npy", ".onnx", ".pkl"}
)
# How other programs say that a model is on a hub.
_OTHER_HUB = re.compile(r"(?:hf|hf_hub|hfhub|hub|huggingface|timm|open_clip)(?::/*)(?=\w)", re.I)
FORMS = (
    "ARCH/PRETRAINED (ViT-B-32-quickgelu/laion400m_e32), ARCH/CHECKPOINT-FILE, "
    f"{HUB_PREFIX}ORG/NAME or the folder of a model or an export"
)


class SpecKind(Enum):
    """Where the weights of a SPEC come from."""

    TAG = "tag"
    CHECKPOINT = "checkpoint"
    HUB = "hub"
    FOLDER = "folder"
    EXPORT = "export"


@dataclass(frozen=True)
class ModelSpec:
    """A SPEC, taken apart.

    Attributes:
        kind: where the weights come from.
        architecture: name of the architecture; empty where the source itself says it.
        source: the tag (TAG), the file (CHECKPOINT), ORG/NAME (HUB) or the folder (FOLDER,
            EXPORT).
    """

    kind: SpecKind
    architecture: str
    source: str

    @property
    def path(self) -> Path:
        """The file or folder of a CHECKPOINT, FOLDER or EXPORT."""
        return Path(self.source)

    @property
    def text(self) -> str:
        """The SPEC again, local paths absolute, so that it means the same in any folder."""
        if self.kind is SpecKind.CHECKPOINT:
            return f"{self.architecture}/{self.path.absolute()}"
        if self.kind is SpecKind.FOLDER:
            return f"{FOLDER_PREFIX}{self.path.absolute()}"
        if self.kind is SpecKind.EXPORT:
            return str(self.path.absolute())
        if self.kind is SpecKind.HUB:
            return f"{HUB_PREFIX}{self.source}"
        return f"{self.architecture}/{self.source}"


def parse_spec(text: str) -> ModelSpec:
    """Takes a SPEC apart; what follows the first slash is a path if a file of that name exists.

    Raises:
        InputError: no SPEC, or a checkpoint or folder that does not exist.
    """
    text = text.strip()
    if not text or "\0" in text:
        raise ModelError(f"model {shown(text, 300)} is not a model; write {FORMS}")
    if found := _OTHER_HUB.match(text):
        raise ModelError(f"{shown(text, 300)}: write {_as_here(found.group(), text)}")
    if "://" in text:
        raise ModelError(_address(text))
    if text.startswith(HUB_PREFIX):
        return _hub(text)
    if text.startswith(FOLDER_PREFIX):
        return _folder(text)
    if is_export(text):
        return ModelSpec(SpecKind.EXPORT, "", str(local_path(text)))
    if _is_model_folder(local_path(text)):
        return ModelSpec(SpecKind.FOLDER, "", str(local_path(text)))
    if text[0] in "/.~":
        if exists(local_path(text)):
            raise ModelError(_unnamed(text))
        raise ModelError(f"{_shown(text)}: no such file or folder; check the path")
    architecture, slash, source = text.partition("/")
    if not architecture or not slash or not source:
        raise ModelError(_unnamed(text))
    path = local_path(source)
    if isfile(path):
        return ModelSpec(SpecKind.CHECKPOINT, architecture, str(path))
    if _looks_like_path(source):
        raise ModelError(_no_checkpoint(text, path))
    return ModelSpec(SpecKind.TAG, architecture, source)


def pytorch_spec(
    text: str, instead: str = "use --backend onnx, or name the model that it was made from"
) -> ModelSpec:
    """As `parse_spec`, of a model that PyTorch runs; raises InputError for an export too.

    `instead` says what to do in place of giving an export.
    """
    spec = parse_spec(text)
    if spec.kind is SpecKind.EXPORT:
        raise ModelError(f"{_shown(text)} is an ONNX export; {instead}")
    return spec


def is_export(text: str) -> bool:
    """Whether a SPEC is a folder that holds ONNX files."""
    path = local_path(text)
    return isdir(path) and any(path.glob("*.onnx"))


def _is_model_folder(path: Path) -> bool:
    """Whether it is a folder that can be read, and no index."""
    return isdir(path) and access(path, R_OK | X_OK) and not isfile(path / "manifest.json")


def _hub(text: str) -> ModelSpec:
    source = text.removeprefix(HUB_PREFIX).rstrip("/")
    organisation, _, name = source.partition("/")
    if not organisation or not name or "/" in name or ".." in source:
        raise ModelError(f"{shown(text, 300)} names no repository; write {HUB_PREFIX}ORG/NAME")
    if "@" in name:
        raise ModelError(
            f"{shown(text, 300)}: revisions are not read; download that one, and write "
            f"{FOLDER_PREFIX}FOLDER"
        )
    return ModelSpec(SpecKind.HUB, "", source)


def _folder(text: str) -> ModelSpec:
    path = local_path(text.removeprefix(FOLDER_PREFIX))
    if text == FOLDER_PREFIX:
        raise ModelError(f"model {shown(text, 300)} names no folder; write {FOLDER_PREFIX}FOLDER")
    if isfile(path):
        raise ModelError(
            f"{_shown(path)} is a file, {FOLDER_PREFIX} takes a folder; write ARCH/{_shown(path)}"
        )
    if not isdir(path):
        raise ModelError(f"{_shown(path)}: no such folder; check the path after {FOLDER_PREFIX}")
    return ModelSpec(SpecKind.FOLDER, "", str(path))


def _unnamed(text: str) -> str:
    """Why a SPEC without ARCH/ is none."""
    path = local_path(text)
    if isdir(path) and not access(path, R_OK | X_OK):
        return f"{_shown(text)}: cannot be read; {NO_RIGHT}"
    if isfile(path / "manifest.json"):
        return (
            f"{_shown(text)} is an index; name the model it was built with, which "
            f"`idia-index info {_shown(text)}` says"
        )
    if path.suffix.lower() in (".onnx", ".gguf"):
        return (
            f"{_shown(text)} is not a PyTorch checkpoint; name the model that it was made from, or "
            "the folder of an export of idia-index"
        )
    if isfile(path):
        return f"{_shown(text)} is a checkpoint of unknown architecture; write ARCH/{_shown(text)}"
    return f"model {shown(text, 300)} is not a model; write {FORMS}"


def _as_here(prefix: str, text: str) -> str:
    """What another program's name of a model is called here."""
    rest = text.removeprefix(prefix)
    if prefix.lower().startswith("open_clip") or "/" not in rest:
        return rest if "/" in rest else f"ARCH/PRETRAINED or {HUB_PREFIX}ORG/NAME"
    return f"{HUB_PREFIX}{rest}"


def _address(text: str) -> str:
    """What to write in place of an address."""
    _, hub, rest = text.partition("huggingface.co/")
    if hub and rest.count("/"):
        return f"{_shown(text)} is an address; write {HUB_PREFIX}{'/'.join(rest.split('/')[:2])}"
    return f"{_shown(text)} is an address; download the weights and write ARCH/FILE"


def _no_checkpoint(text: str, path: Path) -> str:
    if isdir(path):
        return (
            f"{_shown(path)} is a folder; name the checkpoint file in it, "
            f"or write {FOLDER_PREFIX}{_shown(path)}"
        )
    whole = local_path(text)
    if isfile(whole) or isdir(whole):
        return _unnamed(text)
    if exists(path):
        return f"{_shown(path)} is not a regular file; name a checkpoint file"
    return (
        f"no such checkpoint: {_shown(path)} (of model {shown(text, 300)}); "
        "check the path after the first slash"
    )


def _looks_like_path(source: str) -> bool:
    return "/" in source or source[0] in ".~" or Path(source).suffix.lower() in CHECKPOINT_SUFFIXES


def _shown(path: str | Path) -> str:
    text = str(path)
    return shown_path(text) if len(text) < 400 else shown(text, 300)

"""Downloads weights of open_clip's tags and of hub repositories into the local cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from open_clip.pretrained import download_pretrained_from_url

from idia_index.errors import ModelError
from idia_index.support.files import local_path

# The file that open_clip pushes to a hub, and reads if no other is named.
HF_WEIGHTS_NAME = "open_clip_pytorch_model.bin"
HF_SAFE_WEIGHTS_NAME = "open_clip_model.safetensors"
_PICKLES = (".bin", ".pth")


def tag_weights(model: str, config: Mapping[str, Any], *, offline: bool) -> Path:
    """The weights file of an open_clip tag, downloaded if necessary.

    Args:
        model: SPEC, for the messages.
        config: the tag's entry in open_clip's table.
        offline: whether to use only the cache.

    Raises:
        InputError: it is not in the cache and cannot be downloaded.
    """
    # As open_clip: the hub first if the entry names one, its default file if no other.
    repository, filename = os.path.split(str(config.get("hf_hub") or ""))
    if repository:
        return hub_first(model, repository, _alternatives(filename or HF_WEIGHTS_NAME), offline)
    url = str(config["url"])
    # open_clip's own folder for downloads by URL.
    cached = local_path("~/.cache/clip")
    if not cached.is_absolute():
        raise ModelError(
            _not_there(model, "no home folder to store them in (HOME is not set)", offline)
        )
    if offline and not (cached / url.rpartition("/")[2]).is_file():
        raise ModelError(_not_there(model, "not in the local cache", offline))
    try:
        return Path(download_pretrained_from_url(url))
    # As in hub_file; a download must have the published hash.
    except Exception as error:
        raise ModelError(_not_there(model, _reason(error), offline)) from error


def hub_file(model: str, repository: str, filename: str, *, offline: bool) -> Path:
    """A file of a repository, downloaded if necessary.

    Raises:
        InputError: it is not in the cache and cannot be downloaded.
    """
    # Network libraries may raise anything; the file is missing either way.
    try:
        return _hub_path(repository, filename, offline)
    except Exception as error:
        raise ModelError(_not_there(model, _reason(error), offline)) from error


def hub_weights(model: str, repository: str, *, offline: bool) -> Path:
    """The weights file of an open_clip repository, downloaded if necessary.

    Raises:
        InputError: it is not in the cache and cannot be downloaded.
    """
    return hub_first(model, repository, _alternatives(HF_WEIGHTS_NAME), offline)


def hub_folder(model: str, repository: str, *, offline: bool) -> Path:
    """The local folder with the settings of a repository, downloaded if necessary.

    Raises:
        InputError: they are not in the cache and cannot be downloaded.
    """
    try:
        with _quiet():
            return Path(
                snapshot_download(
                    repository, allow_patterns=list(_SETTINGS), local_files_only=offline
                )
            )
    # As in hub_file.
    except Exception as error:
        raise ModelError(_not_there(model, _reason(error), offline)) from error


_SETTINGS = ("*config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json",
             "vocab*", "merges.txt", "spiece.model", "modules.json")  # fmt: skip


def _alternatives(filename: str) -> list[str]:
    """File names to try, safetensors before pickles."""
    if filename == HF_WEIGHTS_NAME:
        return [HF_SAFE_WEIGHTS_NAME, filename]
    if filename.endswith(_PICKLES):
        return [filename[:-4] + ".safetensors", filename]
    return [filename]


def hub_first(model: str, repository: str, filenames: list[str], offline: bool) -> Path:
    """The first of several files that a repository has, downloaded if necessary.

    Raises:
        InputError: none is in the cache or can be downloaded.
    """
    for filename in filenames[:-1]:
        try:
            return _hub_path(repository, filename, offline)
        except EntryNotFoundError as error:
            # Missing there. Without network, do not wait for the next file too.
            if isinstance(error, LocalEntryNotFoundError) and not offline:
                raise ModelError(_not_there(model, _reason(error), offline)) from error
        except Exception:  # noqa: BLE001 - the last file's error is the one to show
            break
    return hub_file(model, repository, filenames[-1], offline=offline)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the hub's log of repeated attempts; the error says enough."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _hub_path(repository: str, filename: str, offline: bool) -> Path:
    with _quiet():
        return Path(hf_hub_download(repository, filename, local_files_only=offline))


def _reason(error: Exception) -> str:
    if isinstance(error, LocalEntryNotFoundError):
        return "not in the local cache, and the network is unreachable"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such repository, or it is not public"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _not_there(model: str, reason: str, offline: bool) -> str:
    remedy = "load it once without --offline" if offline else "check the name and the network"
    return (
        f"model {model}: cannot get its files ({reason}); {remedy}, or download the weights "
        "elsewhere and name the file (ARCH/PATH)"
    )

"""Working offline: no socket is opened, and libraries that would fetch something are told so."""

from __future__ import annotations

import os
import sys
from typing import Any

from idia_index.errors import InputError

SWITCH = "IDIA_INDEX_OFFLINE"

# What the libraries that load models call it.
_LIBRARIES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_EVENTS = frozenset(
    {
        "socket.__new__",
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "urllib.Request",
    }
)
_guarded = False


def is_offline() -> bool:
    """Whether nothing may be fetched: `go_offline` was called, or the environment says so."""
    return os.environ.get(SWITCH, "") not in ("", "0")


def go_offline() -> None:
    """Forbids this process, and those it starts, to open a socket; there is no way back.

    Whatever Python code tries it gets an `InputError`. Libraries are told first, so that they
    look into their caches and do not try.
    """
    global _guarded
    for name in (SWITCH, *_LIBRARIES):
        os.environ[name] = "1"
    if not _guarded:
        sys.addaudithook(_forbid)
        _guarded = True


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and is_offline():
        raise InputError(
            f"offline: something tried to reach the network ({event}); leave out --offline, or "
            "name a model whose files are here"
        )

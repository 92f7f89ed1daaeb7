"""What leaves the machine: nothing in any mode, and offline not even a socket is opened."""

from __future__ import annotations

import os
import sys
from typing import Any

from idia_index.errors import RefusedError

SWITCH = "IDIA_INDEX_OFFLINE"

# What the libraries that load models call it.
_LIBRARIES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
# Libraries that report on their use unless they are told not to. ONNX Runtime 1.32 does: it keeps
# an identifier of the machine in the user's cache folder, reads the command line, which may hold a
# name, and sends events over HTTPS, all in compiled code, which `_forbid` cannot see.
_REPORTS = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
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


def send_nothing() -> None:
    """Tells libraries to report nothing to anybody; to be called before they are imported."""
    for name in _REPORTS:
        os.environ[name] = "1"


def is_offline() -> bool:
    """Whether nothing may be fetched: `go_offline` was called, or the environment says so."""
    return os.environ.get(SWITCH, "") not in ("", "0")


def go_offline() -> None:
    """Forbids this process to open a socket; there is no way back.

    Whatever Python code tries it gets an `InputError`. Libraries are told first, in the environment
    that processes started from here inherit, so that they look into their caches and do not try.
    """
    global _guarded
    send_nothing()
    for name in (SWITCH, *_LIBRARIES):
        os.environ[name] = "1"
    if not _guarded:
        sys.addaudithook(_forbid)
        _guarded = True


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and is_offline():
        raise RefusedError(
            f"offline: something tried to reach the network ({event}); omit --offline, or "
            "name a model whose files are here"
        )

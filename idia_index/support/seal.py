"""Seals: a secret that is fixed today and shown later, such as a draw made before publication.

The manifest that anybody may read holds a seal, HMAC-SHA256 of the public part and the secret
under a random 256-bit salt. Without the salt the seal tells nothing of the secret; with it, the
seal shows that neither part was changed since. Salt and secret lie in a key file for its owner
only. A seal shows *what* was fixed; *when* is shown only by a copy of it kept elsewhere, with a
date that others vouch for.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idia_index.support.documents import Json, read_record, to_json
from idia_index.support.files import write_whole

SALT_BYTES = 32
_MOST = 64 << 20  # bytes of a key file


@dataclass(frozen=True)
class Key:
    """What opens a seal.

    Attributes:
        format: name and version of the file's format.
        salt: 32 random bytes, in hexadecimal.
        secret: what is sealed.
    """

    format: Literal["idia-index/seal-key/1"]
    salt: str
    secret: Json

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.salt)) != SALT_BYTES:
            raise ValueError(f"the salt has not {SALT_BYTES} bytes")


def seal(public: Json, secret: Json) -> tuple[str, Key]:
    """Seals a secret together with what is public: the seal, in hexadecimal, and its key."""
    key = Key("idia-index/seal-key/1", secrets.token_hex(SALT_BYTES), secret)
    return _digest(public, key), key


def fits(given: str, public: Json, key: Key) -> bool:
    """Whether a seal is that of these two parts, unchanged."""
    return hmac.compare_digest(_digest(public, key).encode(), given.encode())


def _digest(public: Json, key: Key) -> str:
    # JSON with sorted keys: one text for each value, whatever wrote it.
    parts = json.dumps([public, key.secret], sort_keys=True, separators=(",", ":"))
    return hmac.new(bytes.fromhex(key.salt), parts.encode("ascii"), "sha256").hexdigest()


def write_key(path: Path, key: Key) -> None:
    """Writes a key for its owner only; raises InputError where it cannot be written."""
    write_whole(path, json.dumps(to_json(key)).encode("ascii"))


def read_key(path: Path) -> Key:
    """Reads a key.

    Raises:
        InputError: there is none, or the file is not one.
    """
    remedy = "give the file that was written when the seal was made"
    return read_record(Key, path, _MOST, "the key of a seal", remedy)

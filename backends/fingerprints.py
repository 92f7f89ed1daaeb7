"""Formats the strings of a fingerprint alike for all backends; imports no framework."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# The defaults of a preprocessing configuration: open_clip's own.
PREPROCESSING_DEFAULTS: Mapping[str, Any] = {
    "mode": "RGB",
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "fill_color": 0,
}


def clip_bpe_string(
    merges: Iterable[Sequence[str]], *, clean: str = "lower", context_length: int
) -> str:
    """Tokenizer string of CLIP's byte-pair encoding.

    Args:
        merges: the pairs of symbols in use, by rank.
        clean: how texts are cleaned first ("lower", "whitespace", "canonicalize").
        context_length: maximum tokens of a prompt, including the two special tokens.

    Returns:
        "clip-bpe:SHA:CLEAN:LENGTH", where SHA is the SHA-256 of the merges as UTF-8 lines, the
        two symbols of a pair separated by a space, with no newline at the end.
    """
    data = "\n".join(" ".join(pair) for pair in merges).encode()
    return f"clip-bpe:{hashlib.sha256(data).hexdigest()}:{clean}:{context_length}"


def preprocessing_string(config: Mapping[str, Any]) -> str:
    """Preprocessing string of an open_clip preprocessing configuration.

    Args:
        config: size (one number or height and width) and, where they differ from
            `PREPROCESSING_DEFAULTS`, mode, interpolation, resize_mode, mean, std, fill_color.

    Returns:
        canonical JSON: an object of exactly those seven keys, sorted, without spaces.
    """
    known = {"size": config["size"], **PREPROCESSING_DEFAULTS}
    known.update({key: config[key] for key in known if config.get(key) is not None})
    size = known["size"]
    known["size"] = [int(x) for x in size] if isinstance(size, (list, tuple)) else [int(size)] * 2
    for key in ("mean", "std"):
        known[key] = [float(x) for x in known[key]]
    return json.dumps(known, sort_keys=True, separators=(",", ":"))

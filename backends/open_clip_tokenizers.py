"""Builds tokenizers of open_clip models, and counts tokens before truncation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer, get_clean_fn

from idia_index.backends.clip_bpe import CLEANING, ClipTokenizer
from idia_index.backends.fingerprints import clip_bpe_string
from idia_index.errors import ModelError, RefusedError

DEFAULT_CONTEXT = 77
# A configuration is untrusted and must not pass anything else to a tokenizer's loader
# (trust_remote_code, for instance).
_ALLOWED_OPTIONS = frozenset({"clean", "strip_sep_token", "language"})


@lru_cache(maxsize=8)
def _clip_tokenizer(context_length: int, **options: Any) -> SimpleTokenizer:
    """CLIP's own, which takes a third of a second to read: one for all models of a process."""
    return SimpleTokenizer(context_length=context_length, **options)


@lru_cache(maxsize=8)
def clip_bpe(tokenizer: SimpleTokenizer) -> ClipTokenizer:
    """open_clip's tokenizer for packs, faster because it caches words."""
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    clean = next(name for name in CLEANING if get_clean_fn(name) is tokenizer.clean_fn)
    return ClipTokenizer(merges, clean)


def build_tokenizer(text_config: Mapping[str, Any], source: str | Path, *, offline: bool) -> Any:
    """The tokenizer of an open_clip text configuration.

    Args:
        text_config: `text_cfg` of the model's configuration.
        source: folder or repository of a Hugging Face tokenizer, if the configuration uses one.
        offline: whether to use only folders and the local cache.

    Raises:
        InputError: the configuration passes a refused option, or the tokenizer is missing.
    """
    options = dict(text_config.get("tokenizer_kwargs") or {})
    unknown = sorted(set(options) - _ALLOWED_OPTIONS)
    if unknown or options.get("clean", "lower") not in CLEANING:
        what = unknown[0] if unknown else f"clean={options['clean']!r}"
        raise RefusedError(
            f"the model's configuration passes {what} to its tokenizer; refused: remove it from "
            "tokenizer_kwargs"
        )
    length = int(text_config.get("context_length") or DEFAULT_CONTEXT)
    mode = text_config.get("tokenizer_mode")
    modes = {"tokenizer_mode": mode} if mode else {}
    if not text_config.get("hf_tokenizer_name"):
        return _clip_tokenizer(length, **options)
    try:
        return HFTokenizer(
            str(source),
            context_length=length,
            local_files_only=offline,
            trust_remote_code=False,
            **options,
            **modes,
        )
    # transformers raises OSError, ValueError, KeyError, ... for missing or invalid files.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"cannot load the model's tokenizer {str(source)!r} ({reason}); put its files beside "
            "the model, or load it once online"
        ) from error


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Number of tokens of each text, including special ones, before truncation."""
    if isinstance(tokenizer, SimpleTokenizer):
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    plain = getattr(tokenizer, "tokenizer_mode", "") == "clips"
    ids = tokenizer.tokenizer(
        [tokenizer.clean_fn(text) for text in texts],
        add_special_tokens=not plain,
        truncation=False,
        padding=False,
    )["input_ids"]
    # In this mode open_clip adds its own start, end and class tokens.
    return [len(row) + (3 if plain else 0) for row in ids]


def tokenizer_string(tokenizer: Any, text_config: Mapping[str, Any]) -> str:
    """Describes a tokenizer as one string for the fingerprint."""
    clean = (text_config.get("tokenizer_kwargs") or {}).get("clean")
    if isinstance(tokenizer, SimpleTokenizer):
        return clip_bpe_string(
            tokenizer.bpe_ranks, clean=clean or "lower", context_length=tokenizer.context_length
        )
    inner = tokenizer.tokenizer
    fast = getattr(inner, "backend_tokenizer", None)
    data = json.loads(fast.to_str()) if fast is not None else dict(inner.get_vocab())
    # Set by the last call, not part of the tokenizer.
    data.pop("truncation", None)
    data.pop("padding", None)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    options = [getattr(tokenizer, "tokenizer_mode", ""), str(tokenizer.strip_sep_token)]
    return ":".join(["hf", digest, clean or "whitespace", *options, str(tokenizer.context_length)])

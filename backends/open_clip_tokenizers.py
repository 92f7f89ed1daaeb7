"""Tokenizers of open_clip models: built without network where asked, counted without cutting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer, get_clean_fn

from idia_index.backends.clip_bpe import CLEANING, ClipTokenizer
from idia_index.backends.fingerprints import clip_bpe_string
from idia_index.errors import ModelError, RefusedError

DEFAULT_CONTEXT = 77
# A configuration may come from anybody; what else it wants to hand to a tokenizer's loader
# (trust_remote_code, say) is not its business.
_ALLOWED_OPTIONS = frozenset({"clean", "strip_sep_token", "language"})


def clip_bpe(tokenizer: SimpleTokenizer) -> ClipTokenizer:
    """open_clip's tokenizer as packs need it; it keeps the words it has seen, and is faster."""
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    clean = next(name for name in CLEANING if get_clean_fn(name) is tokenizer.clean_fn)
    return ClipTokenizer(merges, clean)


def build_tokenizer(text_config: Mapping[str, Any], source: str | Path, *, offline: bool) -> Any:
    """The tokenizer of an open_clip text configuration.

    Args:
        text_config: `text_cfg` of the model's configuration.
        source: folder or repository of a Hugging Face tokenizer, if the configuration asks for
            one.
        offline: whether to look in folders and in the local cache alone.

    Raises:
        InputError: the configuration asks for what is not allowed, or the tokenizer is not
            there.
    """
    options = dict(text_config.get("tokenizer_kwargs") or {})
    unknown = sorted(set(options) - _ALLOWED_OPTIONS)
    if unknown or options.get("clean", "lower") not in CLEANING:
        what = unknown[0] if unknown else f"clean={options['clean']!r}"
        raise RefusedError(
            f"the model's configuration passes {what} to its tokenizer, which is refused; "
            "remove it from tokenizer_kwargs"
        )
    length = int(text_config.get("context_length") or DEFAULT_CONTEXT)
    mode = text_config.get("tokenizer_mode")
    modes = {"tokenizer_mode": mode} if mode else {}
    if not text_config.get("hf_tokenizer_name"):
        return SimpleTokenizer(context_length=length, **options)
    try:
        return HFTokenizer(
            str(source),
            context_length=length,
            local_files_only=offline,
            trust_remote_code=False,
            **options,
            **modes,
        )
    # transformers raises OSError, ValueError, KeyError, ... for what it cannot find or read.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"the tokenizer {str(source)!r} of the model cannot be loaded ({reason}); "
            "put its files where the model is, or load it once with network"
        ) from error


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens that each text takes of the context, special ones counted, before any cutting."""
    if isinstance(tokenizer, SimpleTokenizer):
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    plain = getattr(tokenizer, "tokenizer_mode", "") == "clips"
    ids = tokenizer.tokenizer(
        [tokenizer.clean_fn(text) for text in texts],
        add_special_tokens=not plain,
        truncation=False,
        padding=False,
    )["input_ids"]
    # In this mode open_clip adds a start, an end and a class token of its own.
    return [len(row) + (3 if plain else 0) for row in ids]


def tokenizer_string(tokenizer: Any, text_config: Mapping[str, Any]) -> str:
    """What a tokenizer is, as one string for the fingerprint."""
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

"""Checks that a transformers folder's tokenizer is CLIP's own, in every file that defines it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from open_clip.tokenizer import SimpleTokenizer

from idia_index.backends.settings import read_json
from idia_index.errors import ModelError
from idia_index.support.text import shown, shown_path

START, END = 49406, 49407
_SPECIAL = {"<|startoftext|>": START, "<|endoftext|>": END}
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_SPLITS = (_PATTERN, r"<\|startoftext\|>|<\|endoftext\|>|" + _PATTERN)
# Settings of tokenizer_config.json that change no token of a text within the context.
_INERT_NAMES = (
    "_from_auto auto_map backend clean_up_tokenization_spaces errors extra_special_tokens "
    "is_local local_files_only max_length model_input_names model_max_length name_or_path "
    "pad_token pad_to_multiple_of pad_token_id pad_token_type_id padding_side processor_class "
    "special_tokens_map_file stride tokenizer_class tokenizer_file truncation "
    "truncation_side truncation_strategy use_fast verbose"
)
_INERT = frozenset(_INERT_NAMES.split())
_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast", "CLIPProcessor", "PreTrainedTokenizerFast")
_TOKENS = {
    "bos_token": "<|startoftext|>",
    "cls_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "sep_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
}


@cache
def _clip() -> tuple[dict[str, int], list[tuple[str, ...]]]:
    """CLIP's vocabulary with transformers' names of the two special tokens, and its merges."""
    own = SimpleTokenizer()
    words = {word: number for word, number in own.encoder.items() if number < START}
    return {**words, **_SPECIAL}, [tuple(pair) for pair in own.bpe_ranks]


def check_clip_tokenizer(folder: Path) -> tuple[str, ...]:
    """Refuses a folder whose tokenizer is not CLIP's own; returns a note if it has none.

    Raises:
        ModelError: names the file and the difference.
    """
    checks: dict[str, Callable[[Path], None]] = {
        "merges.txt": _check_merges_file,
        "vocab.json": lambda path: _check_vocabulary(read_json(path), path),
        "tokenizer.json": lambda path: _check_fast(read_json(path), path),
        "tokenizer_config.json": lambda path: _check_config(read_json(path), path),
        "special_tokens_map.json": lambda path: _check_tokens(read_json(path), path),
        "added_tokens.json": lambda path: _check_added(read_json(path), path),
    }
    for name, check in checks.items():
        if (folder / name).exists():
            check(folder / name)
    other = next((f for f in ("spiece.model", "vocab.txt", "sentencepiece.bpe.model")
                  if (folder / f).exists()), None)  # fmt: skip
    if other is not None:
        _refuse(folder / other, "is another tokenizer's")
    if any((folder / name).exists() for name in ("merges.txt", "vocab.json", "tokenizer.json")):
        return ()
    return (
        f"assumed: CLIP's own tokenizer: {shown_path(folder.name)} has neither tokenizer.json nor "
        "vocab.json and merges.txt; add the model's",
    )


def _refuse(path: Path, what: str) -> NoReturn:
    raise ModelError(
        f"{path}: {what}, so it is not CLIP's tokenizer; CLIP models with another tokenizer are "
        "not supported: use the model in open_clip's format, or another model"
    )


def _check_merges_file(path: Path) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); use an intact copy") from error
    merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
    if merges != _clip()[1]:
        raise ModelError(
            f"{path}: not CLIP's merges; models with another tokenizer are not supported"
        )


def _check_vocabulary(words: Mapping[str, Any], path: Path) -> None:
    own = _clip()[0]
    if dict(words) == own:
        return
    # open_clip writes the two special tokens with other names.
    plain = {word: number for word, number in words.items() if number not in (START, END)}
    kept = {word: number for word, number in own.items() if number < START}
    if plain != kept:
        _refuse(path, f"has {len(words):,} tokens, not CLIP's {len(own):,}")


def _check_added(tokens: Mapping[str, Any], path: Path) -> None:
    for word, number in tokens.items():
        if _SPECIAL.get(word) != number:
            _refuse(path, f"adds the token {shown(word)} as {shown(number)}")


def _check_tokens(data: Mapping[str, Any], path: Path) -> None:
    for name, expected in _TOKENS.items():
        value = data.get(name)
        value = value.get("content") if isinstance(value, Mapping) else value
        if value is not None and value != expected:
            _refuse(path, f"has the {name} {shown(value)}")
    if data.get("additional_special_tokens"):
        _refuse(path, "adds special tokens")


def _check_config(data: Mapping[str, Any], path: Path) -> None:
    _check_tokens(data, path)
    if data.get("tokenizer_class") not in (None, *_CLASSES):
        _refuse(path, f"names the tokenizer {shown(data['tokenizer_class'])}")
    if data.get("extra_special_tokens"):
        _refuse(path, "adds special tokens")
    switches = {
        "add_prefix_space": False,
        "do_lower_case": True,
        "add_bos_token": True,
        "add_eos_token": True,
        "split_special_tokens": False,
    }
    for name, expected in switches.items():
        if data.get(name) not in (None, expected):
            _refuse(path, f"sets {name} to {shown(data[name])}")
    for number, token in (data.get("added_tokens_decoder") or {}).items():
        word = token.get("content") if isinstance(token, Mapping) else token
        if str(_SPECIAL.get(str(word))) != str(number):
            _refuse(path, f"adds the token {shown(word)} as {shown(number)}")
    known = {*_INERT, *_TOKENS, *switches, "added_tokens_decoder", "additional_special_tokens"}
    odd = next((name for name in data if name not in known and data[name] is not None), None)
    if odd is not None:
        _refuse(path, f"sets {shown(odd)}, which is not understood")


def _check_fast(data: Mapping[str, Any], path: Path) -> None:
    """A tokenizer of the library `tokenizers`: its model and every step around it."""
    model = data.get("model")
    model = model if isinstance(model, Mapping) else {}
    if model.get("type") not in (None, "BPE"):
        _refuse(path, f"has a model of type {shown(model.get('type'))}")
    for name, expected in {
        "continuing_subword_prefix": ("", None),
        "end_of_word_suffix": ("</w>",),
        "byte_fallback": (False, None),
        "ignore_merges": (False, None),
        "dropout": (None, 0, 0.0),
    }.items():
        if model.get(name) not in expected:
            _refuse(path, f"has a model with {name} {shown(model.get(name))}")
    _check_vocabulary(model.get("vocab") or {}, path)
    merges = [
        tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair)
        for pair in model.get("merges") or ()
    ]
    if merges != _clip()[1]:
        _refuse(path, "has other merges than CLIP's")
    for token in data.get("added_tokens") or ():
        word = token.get("content")
        if _SPECIAL.get(word) != token.get("id"):
            _refuse(path, f"adds the token {shown(word)} as {shown(token.get('id'))}")
    _check_steps(data, path)


def _check_steps(data: Mapping[str, Any], path: Path) -> None:
    steps = [(step.get("type"), step) for step in _flat(data.get("normalizer"), "normalizers")]
    replaces = [step for kind, step in steps if kind == "Replace"]
    plain = all(
        step.get("pattern") == {"Regex": r"\s+"} and step.get("content") == " " for step in replaces
    )
    kinds = sorted(str(kind) for kind, _ in steps)
    if not plain or kinds not in (["Lowercase", "NFC", "Replace"], ["Lowercase", "NFC"]):
        _refuse(path, f"normalizes texts by {shown(', '.join(kinds) or 'nothing')}")
    parts = _flat(data.get("pre_tokenizer"), "pretokenizers")
    splits = [part for part in parts if part.get("type") == "Split"]
    if (
        [part.get("type") for part in parts] != ["Split", "ByteLevel"]
        or (splits[0].get("pattern") or {}).get("Regex") not in _SPLITS
        or splits[0].get("behavior") != "Removed"
        or splits[0].get("invert") is not True
        or parts[1].get("add_prefix_space") is not False
    ):
        _refuse(path, "splits texts differently")
    after = data.get("post_processor") or {}
    if after.get("type") != "RobertaProcessing" or (
        list(after.get("cls") or ())[1:] != [START] or list(after.get("sep") or ())[1:] != [END]
    ):
        _refuse(path, "adds other start and end tokens")


def _flat(step: Any, key: str) -> list[Mapping[str, Any]]:
    if not isinstance(step, Mapping):
        return []
    return list(step.get(key) or ()) if step.get("type") == "Sequence" else [step]

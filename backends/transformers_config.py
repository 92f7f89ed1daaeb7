"""Converts the config.json of a transformers CLIP model to open_clip's `model_cfg`, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from idia_index.errors import ModelError
from idia_index.support.text import shown

_EPS = 1e-5  # the default of torch and both libraries
# CLIP's end token has the largest id; with either id transformers reads there.
_ENDS = (None, 2, 49407)
# Settings that change no embedding: for training, saving, text generation.
_INERT_NAMES = (
    "_attn_implementation_autoset _commit_hash _name_or_path add_cross_attention architectures "
    "attention_dropout attn_implementation bad_words_ids begin_suppress_tokens bos_token_id "
    "chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id "
    "diversity_penalty do_sample dropout dtype early_stopping encoder_no_repeat_ngram_size "
    "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id "
    "gradient_checkpointing id2label initializer_factor initializer_range is_decoder "
    "is_encoder_decoder label2id length_penalty logit_scale_init_value max_length min_length "
    "model_type no_repeat_ngram_size num_beam_groups num_beams num_return_sequences "
    "output_attentions output_hidden_states output_scores pad_token_id prefix problem_type "
    "remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id "
    "suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder "
    "tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript "
    "transformers_version transformers.js_config typical_p use_bfloat16 use_cache"
)
_INERT = frozenset(_INERT_NAMES.split())
_TOWER_NAMES = (
    "hidden_act hidden_size intermediate_size layer_norm_eps num_attention_heads "
    "num_hidden_layers projection_dim pruned_heads"
)
_TOWER = frozenset(_TOWER_NAMES.split())
_TEXT = _TOWER | {"eos_token_id", "max_position_embeddings", "vocab_size"}
_VISION = _TOWER | {"eos_token_id", "image_size", "num_channels", "patch_size"}
_TOP_NAMES = (
    "eos_token_id projection_dim pruned_heads text_config text_config_dict vision_config "
    "vision_config_dict"
)
_TOP = frozenset(_TOP_NAMES.split())


def clip_config(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """open_clip's `model_cfg` for a transformers `CLIPConfig`.

    Args:
        data: content of config.json.
        path: the file, for the messages.

    Raises:
        ModelError: not a CLIP model, or one without a counterpart in open_clip.
    """
    try:
        return _translated(data, path)
    # Not a number, or zero.
    except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(
            f"{path}: not a CLIP configuration ({error}); use an intact copy"
        ) from error


def _refuse(path: Path, what: str) -> NoReturn:
    raise ModelError(
        f"{path}: {what}, which has no counterpart here; convert the model to open_clip's format"
    )


def _translated(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    # If the older field is present, transformers uses it, and defaults, for the whole tower.
    text, vision = (
        data.get(f"{tower}_config") if data.get(f"{tower}_config_dict") is None
        else data[f"{tower}_config_dict"]
        for tower in ("text", "vision")
    )  # fmt: skip
    text, vision = text or {}, vision or {}
    for part, known in ((data, _TOP), (text, _TEXT), (vision, _VISION)):
        _check_known(part, known, path)
    activations = {tower.get("hidden_act", "quick_gelu") for tower in (text, vision)}
    if len(activations) > 1 or not activations <= {"gelu", "quick_gelu"}:
        _refuse(path, f"the activation hidden_act is {shown(', '.join(sorted(activations)))}")
    if text.get("eos_token_id") not in _ENDS:
        _refuse(path, f"eos_token_id is {shown(text['eos_token_id'])}")
    if vision.get("num_channels", 3) != 3:
        _refuse(path, f"num_channels is {shown(vision['num_channels'])}")
    width, heads = vision.get("hidden_size", 768), vision.get("num_attention_heads", 12)
    if width % heads:
        raise ValueError(f"{heads} heads of a width of {width}")
    return {
        "embed_dim": data.get("projection_dim", 512),
        "quick_gelu": activations == {"quick_gelu"},
        "vision_cfg": {
            **_tower(vision, 768, 3072),
            "head_width": width // heads,
            "patch_size": _side(vision.get("patch_size", 32), "patch_size", path),
            "image_size": _side(vision.get("image_size", 224), "image_size", path),
        },
        "text_cfg": {
            **_tower(text, 512, 2048),
            "heads": text.get("num_attention_heads", 8),
            "context_length": text.get("max_position_embeddings", 77),
            "vocab_size": text.get("vocab_size", 49408),
        },
    }


def _check_known(part: Mapping[str, Any], known: frozenset[str], path: Path) -> None:
    for name, value in part.items():
        if name == "pruned_heads" and value:
            _refuse(path, f"pruned_heads is {shown(value)}")
        if name not in known | _INERT and value is not None:
            _refuse(path, f"the setting {shown(name)} is {shown(value)}")


def _side(value: Any, name: str, path: Path) -> int:
    sides = set(value) if isinstance(value, (list, tuple)) else {value}
    if len(sides) != 1 or type(side := sides.pop()) is not int:
        _refuse(path, f"{name} is {shown(value)}")
    return side


def _tower(data: Mapping[str, Any], width: int, inner: int) -> dict[str, Any]:
    """Options that both towers share; the defaults are transformers' own."""
    width = data.get("hidden_size", width)
    inner = data.get("intermediate_size", inner)
    ratio = inner / width
    if int(width * ratio) != inner:  # one unit in the last place too small
        ratio = (inner + 0.5) / width
    tower: dict[str, Any] = {
        "width": width,
        "layers": data.get("num_hidden_layers", 12),
        "mlp_ratio": ratio,
    }
    if data.get("layer_norm_eps", _EPS) != _EPS:
        tower["norm_kwargs"] = {"eps": data["layer_norm_eps"]}
    return tower

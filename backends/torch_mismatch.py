"""Explains why weights do not fit a model, and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from idia_index.backends.torch_architectures import fitting_architectures, image_side
from idia_index.support.text import shown, shown_path

_PEFT = re.compile(r"\.lora_[AB]\.|\.base_layer\.|\.modules_to_save\.|(^|\.)(hada|oft|ia3)_")
_ADAPTER = re.compile(r"(^|[._])lora_")
_TRANSFORMERS = re.compile(r"(^|\.)(text_model|vision_model)\.(encoder|embeddings)\.")
_QUANTIZED = re.compile(
    r"\.(SCB|qweight|qzeros|g_idx|weight_format|weight_scale(_inv)?|_packed_params|absmax|W_q)\b|"
    r"\._(data|scale)$|_scale_inv$|\.weight_packed$"
)
_APPLE = re.compile(
    r"(^|\.)(image_encoder\.model|text_encoder\.(embedding_layer|transformer\.0))\."
)
_EVA = re.compile(r"(^|\.)visual\.blocks\.\d+\.")
_DIFFUSION = (
    "cond_stage_model.",
    "conditioner.embedders.",
    "first_stage_model.",
    "model.diffusion",
)
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.")
_IMAGE_POSITIONS = ("visual.positional_embedding", "visual.attnpool.positional_embedding")
_TEXT_POSITIONS = ("positional_embedding", "text.positional_embedding")
_VOCABULARY = ("token_embedding.weight", "text.token_embedding.weight")
CONFIG = "open_clip_config.json"


def merge_command(folder: str) -> str:
    """How to turn a PEFT adapter into a model."""
    return (
        "merge it into its base model: PeftModel.from_pretrained(BASE, "
        f"{folder!r}).merge_and_unload().save_pretrained(OUT), then write local-dir:OUT"
    )


def why_not_fitting(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path, architecture: str
) -> str | None:
    """One line with the mismatch and its fix; None if the weights fit the model.

    Args:
        weights: a file's weights, under the model's names where known.
        expected: the model's weights.
        path: the file.
        architecture: the model's architecture.
    """
    missing = [
        name
        for name in expected
        if name not in weights and not name.endswith("num_batches_tracked")
    ]
    unknown = [name for name in weights if name not in expected]
    wrong = [name for name in weights if name in expected and _differs(weights, expected, name)]
    if not (missing or unknown or wrong):
        return None
    if line := _another_kind(weights, expected, path):
        return line
    found = []
    if missing:
        found.append(f"{len(missing)} of {len(expected)} missing, the first is {missing[0]!r}")
    if unknown:
        found.append(f"{len(unknown)} unknown, the first is {shown(unknown[0])}")
    if wrong:
        name = wrong[0]
        found.append(
            f"{len(wrong)} of {len(expected)} have another shape, the first is {name!r} with "
            f"{list(weights[name].shape)} instead of {list(expected[name].shape)}"
        )
    remedy = _remedy(weights, expected, (missing, unknown, wrong), path)
    return f"not the weights of {architecture}: {'; '.join(found)}; {remedy}"


def _differs(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str) -> bool:
    mine, its = weights[name].shape, expected[name].shape
    # A scale is one number, whether stored as [] or [1].
    return mine != its and not (mine.numel() == 1 == its.numel())


def _another_kind(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path
) -> str | None:
    """The line for a file that holds something other than an open_clip model."""
    names = list(weights)

    def some(pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(name) for name in names)

    if some(_PEFT):
        return f"holds a LoRA adapter (PEFT), not a model; {merge_command(str(path.parent))}"
    if some(_ADAPTER):
        return (
            "holds a LoRA adapter, not a model; merge it into its base model with the code that "
            "made it, and save the state_dict"
        )
    if some(_QUANTIZED):
        return "holds quantized weights, which are not supported; name the original weights file"
    if any(name.endswith("_flat_param") for name in names):
        return (
            "holds flattened FSDP weights; save them again as a full state_dict "
            "(StateDictType.FULL_STATE_DICT)"
        )
    if any(not weights[name].numel() for name in names if name in expected):
        return (
            "holds one shard of a DeepSpeed checkpoint (ZeRO 3); merge the shards with the "
            "zero_to_fp32.py beside them: python zero_to_fp32.py . OUT"
        )
    if _SHARD.search(path.name):
        return f"is one of several files of a checkpoint; {_index_beside(path)}"
    if any(name.startswith(_DIFFUSION) for name in names):
        return (
            "holds an image generator (Stable Diffusion), which has only CLIP's text tower; name "
            "the checkpoint of the CLIP model"
        )
    for pattern, whose in ((_APPLE, "Apple's MobileCLIP"), (_EVA, "EVA-CLIP's own code")):
        if some(pattern) and not any(map(pattern.search, expected)):
            return (
                f"has the names of {whose}, not open_clip's; name the published model, ARCH/TAG, "
                "or convert it"
            )
    if some(_TRANSFORMERS) and not any(map(_TRANSFORMERS.search, expected)):
        return f"has the names of Hugging Face transformers; {_folder_of(path)}"
    return None


def _index_beside(path: Path) -> str:
    index = next(iter(sorted(path.parent.glob("*.index.json"))), None)
    if (path.parent / "config.json").is_file() and index is not None:
        return f"write local-dir:{shown_path(str(path.parent))}"
    if index is not None:
        return f"name the index of all of them: ARCH/{shown_path(str(index))}"
    return "download all of them and their index (.index.json), and name the index"


def _folder_of(path: Path) -> str:
    if (path.parent / "config.json").is_file():
        return f"write local-dir:{shown_path(str(path.parent))}"
    return "put its config.json beside it and write local-dir:FOLDER"


def _remedy(
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    differences: tuple[list[str], list[str], list[str]],
    path: Path,
) -> str:
    missing, unknown, wrong = differences
    if len(missing) * 20 <= len(expected) and not unknown and not wrong:
        return "the file is incomplete; use an intact copy, or save the model's whole state_dict"
    if (path.parent / "config.json").is_file() and not (path.parent / CONFIG).is_file():
        return "the config.json beside it describes another model; get both from the same source"
    if unknown and not missing and not wrong:
        return (
            f"it has more parts; name the architecture that has them, or write its {CONFIG} "
            "beside it and local-dir:FOLDER"
        )
    fitting = fitting_architectures(weights)
    if fitting:
        return f"its shapes match {', '.join(fitting[:6])}: name the one it was trained as"
    towers = {name.startswith("visual.") for name in weights if name in expected}
    if len(towers) == 1 and not wrong:
        held, other = ("image", "text") if True in towers else ("text", "image")
        return f"it has only the {held} tower; name a checkpoint that has the {other} tower too"
    if not towers and not any(name.startswith("visual.") for name in weights):
        return "none of its tensor names are a CLIP model's; name the checkpoint of the CLIP model"
    only = not missing and not unknown and len(wrong) == 1
    if only and (what := _another_size(wrong[0], weights, expected)) is not None:
        folder = shown_path(str(path.parent))
        return f"{what} in an {CONFIG} beside it, and write local-dir:{folder}"
    return (
        "its shapes match no open_clip architecture; describe the one that it was trained with in "
        f"an {CONFIG} beside it, and write local-dir:{shown_path(str(path.parent))}"
    )


def _another_size(
    name: str, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> str | None:
    rows = weights[name].shape[0]
    if name in _IMAGE_POSITIONS and (side := image_side(weights)) is not None:
        return f'it was trained with images of {side} x {side}: set "image_size": {side}'
    if weights[name].shape[1:] != expected[name].shape[1:]:
        return None
    if name in _TEXT_POSITIONS:
        return f'it was trained with texts of {rows} tokens: set "context_length": {rows}'
    if name in _VOCABULARY:
        return f'it was trained with a vocabulary of {rows}: set "vocab_size": {rows}'
    return None

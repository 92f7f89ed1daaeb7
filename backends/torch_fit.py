"""Loads weights into a model after checking that every one fits by name and shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from idia_index.backends.torch_archives import NOT_WEIGHTS
from idia_index.backends.torch_checkpoints import Checkpoint
from idia_index.backends.torch_mismatch import why_not_fitting
from idia_index.backends.torch_unwrap import WeightsChoice, is_averaged
from idia_index.errors import ModelError, RefusedError
from idia_index.support.text import listed, shown

_CUSTOM_TEXT = (
    "text_projection",
    "positional_embedding",
    "token_embedding",
    "transformer.",
    "ln_final.",
)
# Modules that trainers add to a model, which compute something else from its embeddings.
_HEAD = re.compile(
    r"(^|[._])(head|heads|classifier|classification|fc|queue|projector|predictor|criterion|loss|"
    r"logits|probe|discriminator|metric|metrics|accuracy)([._\d]|$)|_head|_queue|queue_|"
    r"^n_averaged$|^(initted|step|epoch|global_step)$"
)
# Values are checked in chunks of this size, each freed before the next.
_PIECE = 64 << 20


@dataclass(frozen=True)
class _Aligned:
    """Weights with names that start with a prefix, which is removed."""

    prefix: str
    weights: dict[str, Tensor]
    matches: int
    among_others: bool = False

    @property
    def averaged(self) -> bool:
        return is_averaged(self.prefix.rstrip("."))


def check_fit(
    model: nn.Module,
    checkpoint: Checkpoint,
    architecture: str,
    choice: WeightsChoice | None = None,
) -> Checkpoint:
    """Checks that every weight of a checkpoint fits a model by name and shape.

    Only formal differences are accepted: a prefix before all names, the prefix of a text tower's
    names, a scale stored as a scalar or a list of one, and counters that inference does not use.
    Weights of other parts (a classifier's head) are not used, and a note says so. Weights of the
    model are never resized, left out or filled in.

    Returns:
        the checkpoint with its weights under the model's names.

    Raises:
        ModelError: weights are missing, unknown or of another shape.
    """
    expected = model.state_dict()
    found = _aligned(checkpoint, expected, choice)
    averaged = checkpoint.averaged or found.averaged
    if choice == "ema" and not averaged:
        raise ModelError(f"{checkpoint.path}: no key names a moving average; omit --weights")
    unknown = [name for name in found.weights if name not in expected]
    own = {name.partition(".")[0] for name in expected}
    beside = [name for name in unknown if name.partition(".")[0] not in own]
    heads = [n for n in beside if _HEAD.search(n) or is_averaged(n.partition(".")[0])]
    weights = {name: value for name, value in found.weights.items() if name not in heads}
    if problem := why_not_fitting(weights, expected, checkpoint.path, architecture):
        raise ModelError(f"{checkpoint.path}: {problem}")
    _check_held(weights, expected, checkpoint)
    aside = [name for name in checkpoint.weights if not name.startswith(found.prefix)]
    notes = (*checkpoint.notes, *_notes(found, [*aside, *heads]))
    return replace(
        checkpoint,
        weights=weights,
        notes=notes,
        averaged=averaged,
        among_others=checkpoint.among_others or found.among_others or any(map(is_averaged, heads)),
    )


def _notes(found: _Aligned, aside: list[str]) -> Iterator[str]:
    if found.prefix:
        yield f"weights: those with names that begin with {shown(found.prefix)}"
    if aside:
        parts = sorted({name.rpartition(".")[0] or name for name in aside})
        parts = sorted({".".join(part.split(".")[:2]) for part in parts})
        told = listed([*map(shown, parts)], 4, "more parts")
        if not found.averaged and any(map(is_averaged, aside)):
            told += " (--weights ema uses the moving average)"
        yield f"weights: {len(aside)} tensors outside the model not used: {told}"


def _aligned(
    checkpoint: Checkpoint, expected: Mapping[str, Tensor], choice: WeightsChoice | None
) -> _Aligned:
    """The weights under the prefix that matches the most of the model's names."""
    weights = checkpoint.weights
    tried = [_under(prefix, weights, expected) for prefix in _prefixes(weights, expected)]
    most = max(entry.matches for entry in tried)
    best = [entry for entry in tried if entry.matches == most]
    if len(best) == 1 or most == 0:
        return best[0]
    averaged = [entry for entry in best if entry.averaged]
    raw = [entry for entry in best if entry not in averaged]
    kept = averaged if choice == "ema" and averaged else raw or averaged
    if len(kept) > 1:  # ema.ema_model is the average, ema.online_model the wrapper's copy
        kept = [
            entry for entry in kept if is_averaged(entry.prefix.rstrip(".").split(".")[-1])
        ] or kept
    if len(kept) > 1:
        names = ", ".join(shown(entry.prefix) for entry in kept[:4])
        raise ModelError(
            f"{checkpoint.path}: holds several models ({names}); save only the one to load"
        )
    return replace(kept[0], among_others=bool(raw and averaged))


def _prefixes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Possible prefixes of the model's names: none, or those seen before some of them."""
    visual = next((name for name in expected if name.startswith("visual.")), "visual.proj")
    text = next((name for name in expected if name.startswith("text.")), "text.text_projection")
    anchors = (visual, text, "logit_scale", "positional_embedding")
    found = {name.removesuffix(a) for name in weights for a in anchors if name.endswith(f".{a}")}
    # The model's own prefixes of its towers.
    return ["", *sorted(p for p in found if p not in ("text.", "visual."))]


def _under(prefix: str, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> _Aligned:
    own = {n.removeprefix(prefix): value for n, value in weights.items() if n.startswith(prefix)}
    renamed = _renamed(own, expected)
    return _Aligned(prefix, renamed, len(renamed.keys() & expected.keys()))


def _renamed(weights: dict[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The model's names: open_clip's text tower is under `text.` or at the top."""
    custom = "text.positional_embedding" in expected
    if custom and "positional_embedding" in weights:
        weights = {
            f"text.{name}" if name.startswith(_CUSTOM_TEXT) else name: value
            for name, value in weights.items()
        }
    elif "positional_embedding" in expected and "text.positional_embedding" in weights:
        weights = {name.removeprefix("text."): value for name, value in weights.items()}
    # A constant 0, 1, 2, ... stored by older transformers, and OpenAI's numbers.
    return {
        name: value
        for name, value in weights.items()
        if name in expected or not (name.endswith("embeddings.position_ids") or name in NOT_WEIGHTS)
    }


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Sets a checkpoint's weights as the parameters of a model, as views of the file if they have
    the model's dtype.

    Args:
        model: a model that `checkpoint` fits.
        checkpoint: from `check_fit`.

    Raises:
        ModelError: weights are not finite.
    """
    _check_values(checkpoint)
    expected = model.state_dict()
    made: dict[str, Tensor] = {}
    for name, target in expected.items():
        if name not in checkpoint.weights:  # a counter of training steps, unused
            made[name] = torch.zeros_like(target)
            continue
        value = checkpoint.weights[name].reshape(target.shape)
        made[name] = value.to(target.dtype).contiguous()
        if value.dtype != target.dtype:
            checkpoint.release()
    model.load_state_dict(made, assign=True)
    checkpoint.release()


def _check_held(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], checkpoint: Checkpoint
) -> None:
    """Checks that weights are floats and that the file holds all of them.

    A strided view can have any size over a single number, and would exhaust memory once copied.
    """
    for name, value in weights.items():
        if expected[name].is_floating_point() and not value.is_floating_point():
            raise ModelError(
                f"{checkpoint.path}: {name!r} is {value.dtype}, not floating point: quantized "
                "weights are not supported; save the weights as trained"
            )
    held = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
            for value in weights.values()}  # fmt: skip
    asked = sum(value.numel() * value.element_size() for value in weights.values())
    if asked > 2 * sum(held.values()):  # some share storage
        raise RefusedError(
            f"{checkpoint.path}: its tensors are views of {asked:,} bytes over "
            f"{sum(held.values()):,}; save contiguous copies, preferably as safetensors"
        )


def _check_values(checkpoint: Checkpoint) -> None:
    broken: dict[str, int] = {}
    read = 0
    for name, value in checkpoint.weights.items():
        if value.is_floating_point() and (count := _not_finite(value)):
            broken[name] = count
        read += value.numel() * value.element_size()
        if read > _PIECE:
            checkpoint.release()
            read = 0
    if broken:
        name, count = next(iter(broken.items()))
        raise ModelError(
            f"{checkpoint.path}: {len(broken)} of {len(checkpoint.weights)} weights hold NaN or "
            f"infinite numbers, the first is {name!r} with {count} of "
            f"{checkpoint.weights[name].numel()}; use an intact copy"
        )


def _not_finite(value: Tensor) -> int:
    flat = value if value.is_contiguous() else value.contiguous()
    pieces = torch.split(flat.reshape(-1), _PIECE // value.element_size())
    return sum(int((~torch.isfinite(piece)).sum()) for piece in pieces)

"""Wraps the towers of an open_clip model for a backend: arrays in, float32 arrays out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from open_clip.hf_model import HFTextEncoder
from torch import Tensor, nn

from idia_index.backends.open_clip_tokenizers import count_tokens
from idia_index.backends.torch_cpu_text import CpuTextTower
from idia_index.backends.torch_devices import products_in, shared_threads
from idia_index.backends.torch_gpu_text import GpuTextTower
from idia_index.backends.torch_text import PackedTextTower, text_part
from idia_index.encode.packs import PAD, plan_packs
from idia_index.errors import UnreadableTextError
from idia_index.plugins import PackTower, Tokenizer
from idia_index.support.concurrency import in_threads
from idia_index.support.text import shown
from idia_index.support.tf32 import without_tf32
from idia_index.types import Float32, Pack

# Two prompts with a common prefix and different lengths, so that a tree has a branch.
PROBES = ("a photo of a person", "a photo of two people in the street")
# Between unit vectors, in float32. Equivalent computations differ by a few units in the last
# place (1e-7), a differently computed layer by far more.
PROBE_TOLERANCE = 1e-4

# Nodes per tree, trees per pack. The CPU tower attends in windows, so its trees may be large; its
# speed is flat between 1,024 and 4,096 nodes (measured, ViT-B-32). Elsewhere larger trees cost
# more attention; a GPU gets more work at a time (not measured).
_PACK_SIZES = {"cpu": (2048, 1), "cuda": (128, 128), "mps": (128, 16)}
# Packs or batches of images computed concurrently; each needs memory (30 MB in ViT-B-32's text
# tower).
MOST_WORKERS = 8


def to_numpy(rows: Tensor) -> Float32:
    """float32 array of a tensor of any dtype on any device."""
    array: Float32 = rows.float().cpu().numpy()
    return array


class TorchPackTower(PackTower):
    """A causal text tower on packs.

    Args:
        module: the tower, on its device.
        tokenizer: its tokenizer.
        context_length: maximum tokens of a prompt, including the two special tokens.
        dtype: dtype of the computation; None: the module's.
    """

    def __init__(
        self,
        module: PackedTextTower,
        tokenizer: Tokenizer,
        context_length: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.module = module
        self._dtype = dtype or module.positional_embedding.dtype
        self.tokenizer = tokenizer
        self.context_length = context_length
        self._device = module.positional_embedding.device
        self.pack_nodes, self.pack_batch = _PACK_SIZES[self._device.type]

    @cached_property
    def _cpu_tower(self) -> CpuTextTower:
        """Created with the first pack: most queries encode no text."""
        return CpuTextTower(self.module, self._dtype)

    @cached_property
    def _gpu_tower(self) -> GpuTextTower:
        return GpuTextTower(self.module, self._dtype)

    def embed_packs(self, packs: Iterable[Pack]) -> Iterator[tuple[Pack, Float32]]:
        """Each pack with its embeddings; on a CPU, as many packs at a time as threads.

        On a GPU packs are queued ahead (see `GpuTextTower`).
        Parallel packs never wait for each other, unlike the threads of one product: on a busy
        core, one product in two threads took up to nine times as long (measured), parallel packs
        only their share.
        """
        if self._device.type == "cuda":
            yield from self._gpu_tower.embed_packs(packs)
            return
        workers = min(torch.get_num_threads(), MOST_WORKERS)
        packs = iter(packs)
        first = list(islice(packs, workers))
        packs = chain(first, packs)
        if self._device.type != "cpu" or len(first) < workers or workers == 1:
            yield from super().embed_packs(packs)
            return
        _ = self._cpu_tower  # created once, not by every worker
        with shared_threads(workers) as prepare:
            yield from in_threads(self.embed_pack, packs, workers, prepare)

    @torch.inference_mode()
    def embed_pack(self, pack: Pack) -> Float32:
        """Text embeddings float32 [p, D] at `pack.reads`, not normalised."""
        if self._device.type == "cpu":
            return to_numpy(self._cpu_tower(pack))
        if self._device.type == "cuda":
            return next(self._gpu_tower.embed_packs([pack]))[1]
        arrays = (pack.ids, pack.positions, pack.mask, pack.reads)
        return to_numpy(self.module(*(torch.from_numpy(a).to(self._device) for a in arrays)))


class WholeTexts:
    """Any open_clip text tower, on whole texts padded as open_clip does.

    Hugging Face towers mask their padding, so a batch is padded only to its longest text. Others
    (SigLIP, CoCa) were trained with visible padding, or read a fixed position, and get the full
    context.

    Args:
        model: the open_clip model, on its device.
        tokenizer: its open_clip tokenizer.
        dtype: dtype of its products.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, dtype: torch.dtype) -> None:
        self._model = model
        self._dtype = dtype
        self._tokenizer = tokenizer
        self._device = next(model.parameters()).device
        self.trims = self._can_trim()

    def _can_trim(self) -> bool:
        """Whether dropping common padding leaves embeddings unchanged; verified by running."""
        if not isinstance(text_part(self._model), HFTextEncoder):
            return False
        ids = self._tokenizer(list(PROBES))
        return _agree(self._encode(self._trimmed(ids)), self._encode(ids))

    def _trimmed(self, ids: Tensor) -> Tensor:
        """Tokens [n, L] without the trailing columns that are padding in every row."""
        used = (ids != text_part(self._model).config.pad_token_id).any(dim=0)
        return ids[:, : int(used.nonzero().max()) + 1]

    @torch.inference_mode()
    def _encode(self, ids: Tensor) -> Float32:
        model: Any = self._model
        with without_tf32(torch), products_in(self._device, self._dtype):
            return to_numpy(model.encode_text(ids.to(self._device), normalize=False))

    def __call__(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], not normalised; raises as `check`."""
        self.check(texts)
        ids = self._tokenizer(list(texts))
        return self._encode(self._trimmed(ids) if self.trims else ids)

    def check(self, texts: Sequence[str]) -> None:
        """Raises UnreadableTextError for a text that open_clip would truncate."""
        length = self._tokenizer.context_length
        for text, count in zip(texts, count_tokens(self._tokenizer, texts), strict=True):
            if count > length:
                raise UnreadableTextError(
                    f"prompt {shown(text, 300)} has {count} tokens, the model reads {length}: "
                    "shorten the name or the template"
                )


@torch.inference_mode()
def packs_agree(model: nn.Module, tower: PackedTextTower, tokenizer: Tokenizer) -> bool:
    """Whether packs agree with the model's own `encode_text` on two short prompts.

    Reveals differences that `pack_refusal` does not check for.
    """
    bodies = tokenizer.encode(PROBES)
    framed = [[tokenizer.start, *body, tokenizer.end] for body in bodies]
    tokens = np.full((len(framed), max(map(len, framed))), PAD, np.int32)
    padded = torch.zeros(len(framed), tower.positional_embedding.shape[0], dtype=torch.int64)
    if tokens.shape[1] > padded.shape[1]:  # a context too short for the probes proves nothing
        return False
    for row, ids in enumerate(framed):
        tokens[row, : len(ids)] = ids
        padded[row, : len(ids)] = torch.tensor(ids)
    pack = next(plan_packs(tokens, nodes=tokens.size))
    arrays = (pack.ids, pack.positions, pack.mask, pack.reads)
    packed = to_numpy(tower(*map(torch.from_numpy, arrays)))
    rows = np.empty_like(packed)
    rows[pack.rows] = packed
    own: Any = model
    return _agree(rows, to_numpy(own.encode_text(padded, normalize=False)))


def _agree(rows: Float32, reference: Float32) -> bool:
    """Whether the rows of two float32 [n, D] have the same directions."""
    a, b = (table / np.linalg.norm(table, axis=1, keepdims=True) for table in (rows, reference))
    return bool(np.abs(a - b).max() < PROBE_TOLERANCE)

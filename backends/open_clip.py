"""The open_clip backend: CLIP models in PyTorch, from any SPEC and any checkpoint format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from idia_index.backends.fingerprints import preprocessing_string
from idia_index.backends.settings import ACTIVATIONS, read_preprocessing
from idia_index.encode.backend import Encoder
from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import IdiaIndexError, MissingExtraError, ModelError
from idia_index.plugins.specs import SpecKind, pytorch_spec
from idia_index.support.offline import is_offline
from idia_index.support.text import shown
from idia_index.support.tf32 import without_tf32
from idia_index.types import Fingerprint, Float32

try:
    import torch
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    from idia_index.backends.open_clip_activations import (
        activation_of_hash,
        check_activation,
        computed_activation,
    )
    from idia_index.backends.open_clip_folders import Source
    from idia_index.backends.open_clip_models import build_model
    from idia_index.backends.open_clip_settings import is_activation_note, with_statements
    from idia_index.backends.open_clip_sources import find_source
    from idia_index.backends.open_clip_tokenizers import (
        build_tokenizer,
        clip_bpe,
        tokenizer_string,
    )
    from idia_index.backends.torch_checkpoints import checkpoint_sha256
    from idia_index.backends.torch_cpu_images import Tower, cpu_image_tower
    from idia_index.backends.torch_devices import (
        describe_device,
        pick_device,
        products_in,
        shared_threads,
        torch_dtype,
        weights_dtype,
        why_not,
    )
    from idia_index.backends.torch_text import ImageTower, PackedTextTower, pack_refusal, text_part
    from idia_index.backends.torch_towers import (
        MOST_WORKERS,
        TorchPackTower,
        WholeTexts,
        packs_agree,
        to_numpy,
    )
    from idia_index.backends.torch_unwrap import WEIGHTS_CHOICES
    from idia_index.backends.transformers_siglip import SiglipTokenizer, build_siglip
except ModuleNotFoundError as error:
    raise MissingExtraError("the open_clip backend", error.name or "open_clip", "torch") from error


class OpenClipBackend(Encoder):
    """A CLIP model in PyTorch.

    Args:
        model: SPEC, as `idia_index.plugins.specs` reads it.
        device: "cpu", "cuda", "cuda:1", "mps"; None: the best that works.
        dtype: the towers' precision: "float32", "float16" or "bfloat16".
        allow_activation_mismatch: whether to load weights with an activation that they were not
            trained with, as some published figures did.
        preprocess: the preprocessing, if the source does not state it or states it wrongly:
            "openai", "inception", "imagenet", a JSON file, or its content.
        activation: "gelu" or "quick_gelu", overriding the source.
        weights: "raw" or "ema", if a checkpoint holds weights and their moving average.
        offline: whether to use only folders and the local cache.

    Attributes:
        clip: the open_clip model, on its device.
        tokenizer: its open_clip tokenizer.
        preprocessing: open_clip's preprocessing configuration.
        image_tower: pixels float [m, 3, H, W] -> [m, D].
        packed_tower: the text tower on packs, if it is causal.
        pack_refusal: why texts do not go through packs; None if they do.

    Raises:
        InputError: no such model, or its files are missing, damaged or do not match.
    """

    name = "open_clip"

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str = "float32",
        allow_activation_mismatch: bool = False,
        preprocess: str | Mapping[str, Any] | None = None,
        activation: str | None = None,
        weights: str | None = None,
        offline: bool = False,
    ) -> None:
        spec = pytorch_spec(model)
        self._dtype = torch_dtype(dtype)
        self._device = pick_device(device, self._dtype)
        self.device = describe_device(self._device)
        self.model = spec.text
        # A local model must not fetch anything, not even its tokenizer.
        offline = offline or is_offline() or spec.kind in (SpecKind.CHECKPOINT, SpecKind.FOLDER)
        wanted = None if preprocess is None else read_preprocessing(preprocess)
        _check_choice("activation", activation, ACTIVATIONS)
        _check_choice("weights", weights, WEIGHTS_CHOICES)
        allowed = allow_activation_mismatch or activation is not None
        source = find_source(model, spec, offline=offline, allow_mismatch=allowed)
        source = with_statements(source, wanted, activation)
        sha256 = checkpoint_sha256(source.weights)
        self._load(source, (model, None if allowed else sha256), weights, offline)
        self._fingerprint = Fingerprint(
            architecture=source.architecture,
            weights_sha256=f"{sha256}-ema" if self._is_averaged else sha256,
            tokenizer=tokenizer_string(self.tokenizer, source.config["text_cfg"]),
            preprocessing=preprocessing_string(self.preprocessing),
            activation=_activation(source),
            dim=int(source.config["embed_dim"]),
            precision=dtype,
        )

    def _load(
        self, source: Source, checked: tuple[str, str | None], weights: Any, offline: bool
    ) -> None:
        """Builds the model; checks its activation by `checked` (SPEC, SHA-256) if known."""
        checkpoint = source.read(source.weights, weights)
        spec, sha256 = checked
        if sha256 is not None and source.siglip is None:
            trained = source.activation or checkpoint.activation or activation_of_hash(sha256)
            computed = computed_activation(source.config)
            check_activation(spec, source.architecture, computed, trained)
        built: Any
        if source.siglip is not None:
            built, taken = build_siglip(source.siglip, checkpoint, source.architecture, weights)
            self.tokenizer = SiglipTokenizer(
                Path(source.tokenizer), built.context_length, built.vocab_size
            )
            built.pad = self.tokenizer.pad
        else:
            built, taken = build_model(source.config, checkpoint, source.architecture, weights)
            self.tokenizer = build_tokenizer(
                source.config["text_cfg"], source.tokenizer, offline=offline
            )
            self._check_vocabulary(source, built)
        told = source.notes
        if checkpoint.activation is not None:  # no longer assumed
            told = tuple(note for note in told if not is_activation_note(note))
        self.notes = (*taken.notes, *told)
        self._is_averaged = taken.averaged and taken.among_others
        self._set_towers(built)
        self._set_preprocessing(source, built)

    def _check_vocabulary(self, source: Source, model: Any) -> None:
        """Refuses a model without embeddings for some of its tokenizer's tokens."""
        rows = int(text_part(model).vocab_size)
        if isinstance(self.tokenizer, SimpleTokenizer) and self.tokenizer.vocab_size > rows:
            raise ModelError(
                f"model {self.model}: {source.architecture} has {rows} tokens, its tokenizer "
                f"{self.tokenizer.vocab_size}; name the architecture that it was trained with"
            )

    def _set_towers(self, model: Any) -> None:
        """Chooses how texts are encoded, then moves the model to its device and dtype."""
        refusal = pack_refusal(model)
        if refusal is None and not isinstance(self.tokenizer, SimpleTokenizer):
            refusal = "its tokenizer is not CLIP's own"
        tower = None
        if refusal is None:
            bpe = clip_bpe(self.tokenizer)
            tower = PackedTextTower(model).eval()
            if not packs_agree(model, tower, bpe):
                refusal = "its embeddings through packs differ from encode_text's"
        self.pack_refusal = refusal
        scale = getattr(model, "logit_scale", None)
        self.logit_scale = None if scale is None else float(scale.detach().double().exp())
        self.clip = model.to(self._device, weights_dtype(self._device, self._dtype))
        self._check_range()
        self.image_tower = ImageTower(self.clip).eval()
        if self._device.type == "cpu":
            self.image_workers = min(torch.get_num_threads(), MOST_WORKERS)
        self.packed_tower = tower if refusal is None else None
        self._whole_texts = (
            None if self.packed_tower else WholeTexts(self.clip, self.tokenizer, self._dtype)
        )
        if self.packed_tower is not None:
            length = int(text_part(model).context_length)
            self.text_tower = TorchPackTower(self.packed_tower, bpe, length, self._dtype)

    def _check_range(self) -> None:
        """Refuses float16 for weights outside its range, which would become infinite."""
        if self._dtype is not torch.float16:
            return
        for name, value in self.clip.named_parameters():
            if not torch.isfinite(value).all():
                raise ModelError(
                    f"model {self.model}: {name!r} is outside the range of float16; use bfloat16"
                )

    def _set_preprocessing(self, source: Source, model: Any) -> None:
        """open_clip's own inference transform, at the size of the image tower."""
        config = merge_preprocess_dict(PreprocessCfg(), source.preprocessing)
        config["size"] = getattr(model.visual, "image_size", config["size"])
        try:
            self._fit = Preprocessing.from_open_clip(config)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"model {self.model}: its configuration preprocesses images with {error}; "
                "correct its preprocess_cfg"
            ) from error
        self.preprocessing: dict[str, Any] = config

    @classmethod
    def self_test(cls) -> str:
        """Multiplies two matrices on the best device; returns versions and device."""
        device = pick_device(None)
        if problem := why_not(device):
            raise IdiaIndexError(f"PyTorch does not compute on {device}: {problem}")
        versions = (f"{name} {version(name)}" for name in ("torch", "open_clip_torch"))
        return f"{', '.join(versions)}, on {describe_device(device)}"

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is, exactly."""
        return self._fingerprint

    def image_threads(self) -> AbstractContextManager[Callable[[], None]]:
        """On a CPU, batches of images run in parallel and share its threads."""
        if self.image_workers < 2:
            return super().image_threads()
        _ = self._cpu_images  # created once, not by every thread
        return shared_threads(self.image_workers)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model sees of an image: open_clip's resizing and cropping, bit for bit.

        Raises:
            InputError: the image cannot be resized or converted to RGB.
        """
        return self._fit.fitted(image)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of an image of this size that the model sees, as edges in its pixels."""
        return self._fit.seen(width, height)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        Raises:
            InputError: an image cannot be resized or converted to RGB.
        """
        if not images:
            return to_numpy(torch.empty(0, self._fingerprint.dim))
        pixels = torch.from_numpy(self._fit.pixels(images))
        dtype = weights_dtype(self._device, self._dtype)
        products = products_in(self._device, self._dtype)
        with torch.inference_mode(), without_tf32(torch), products:
            if self._cpu_images is not None:
                with torch.autocast("cpu", enabled=False):
                    return to_numpy(self._cpu_images(pixels))
            return to_numpy(self.image_tower(pixels.to(self._device, dtype)))

    @cached_property
    def _cpu_images(self) -> Tower | None:
        """Created with the first image; None for towers that `image_tower` runs."""
        if self._device.type != "cpu" or self._dtype is torch.float16:
            return None
        return cpu_image_tower(self.image_tower.visual, self._dtype)

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], not normalised, of whole texts.

        Raises:
            UnreadableTextError: a text exceeds the context length.
        """
        return self._of_whole_texts()(texts)

    def check_texts(self, texts: Sequence[str]) -> bool:
        """Raises UnreadableTextError for a text that exceeds the context length."""
        self._of_whole_texts().check(texts)
        return True

    def _of_whole_texts(self) -> WholeTexts:
        if self._whole_texts is None:  # a causal tower, whose texts go through packs
            self._whole_texts = WholeTexts(self.clip, self.tokenizer, self._dtype)
        return self._whole_texts


def _check_choice(what: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise ModelError(f"{what} {shown(value)} is unknown; available: {', '.join(known)}")


def _activation(source: Source) -> str:
    """The towers' activation, as the fingerprint states it."""
    if source.siglip is None:
        return computed_activation(source.config)
    towers = (source.siglip.text_config, source.siglip.vision_config)
    return "_".join(sorted({str(tower.hidden_act) for tower in towers}))

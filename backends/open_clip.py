"""The open_clip backend: CLIP models in PyTorch, from any SPEC and any checkpoint format."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from PIL import Image

from idia_index.backends.fingerprints import preprocessing_string
from idia_index.backends.preprocessing import Preprocessing
from idia_index.backends.weights_hash import weights_sha256
from idia_index.encode.images import MAX_PIXELS
from idia_index.errors import IdiaIndexError, InputError, MissingExtraError, ModelError
from idia_index.plugins import BackendPlugin
from idia_index.plugins.specs import SpecKind, pytorch_spec
from idia_index.support.offline import is_offline
from idia_index.types import Fingerprint, Float32

try:
    import torch
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    from idia_index.backends.open_clip_activations import (
        activation_of_hash,
        check_activation,
        computed_activation,
    )
    from idia_index.backends.open_clip_models import build_model
    from idia_index.backends.open_clip_sources import Source, find_source
    from idia_index.backends.open_clip_tokenizers import (
        ClipBpe,
        build_tokenizer,
        tokenizer_string,
    )
    from idia_index.backends.torch_devices import (
        describe_device,
        pick_device,
        products_in,
        torch_dtype,
        weights_dtype,
        why_not,
    )
    from idia_index.backends.torch_text import ImageTower, PackedTextTower, pack_refusal, text_part
    from idia_index.backends.torch_towers import (
        TorchPackTower,
        WholeTexts,
        packs_agree,
        to_numpy,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("the open_clip backend", error.name or "open_clip", "torch") from error


class OpenClipBackend(BackendPlugin):
    """A CLIP model in PyTorch.

    Args:
        model: SPEC, as `idia_index.plugins.specs` reads it.
        device: "cpu", "cuda", "cuda:1", "mps"; None takes the first that computes.
        dtype: what the towers compute in: "float32", "float16" or "bfloat16".
        allow_activation_mismatch: whether to load weights under an activation that they were
            not trained with, as published figures sometimes were.
        offline: whether to take files from folders and the local cache alone.

    Attributes:
        clip: the open_clip model, on its device.
        tokenizer: open_clip's tokenizer of it.
        preprocessing: open_clip's preprocessing configuration.
        image_tower: pixels float [m, 3, H, W] -> [m, D].
        packed_tower: the text tower on packs, if it is causal.
        pack_refusal: why texts do not go through packs; None where they do.

    Raises:
        InputError: no such model, or its files are missing, damaged or do not fit.
    """

    name = "open_clip"

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str = "float32",
        allow_activation_mismatch: bool = False,
        offline: bool = False,
    ) -> None:
        spec = pytorch_spec(model)
        self._dtype = torch_dtype(dtype)
        self._device = pick_device(device, self._dtype)
        self.device = describe_device(self._device)
        self.model = spec.text
        # What is here already needs nothing from elsewhere, its tokenizer included.
        offline = offline or is_offline() or spec.kind in (SpecKind.CHECKPOINT, SpecKind.FOLDER)
        source = find_source(model, spec, offline=offline, allow_mismatch=allow_activation_mismatch)
        sha256 = weights_sha256(source.weights)
        self._load(source, model, None if allow_activation_mismatch else sha256, offline)
        self._fingerprint = Fingerprint(
            architecture=source.architecture,
            weights_sha256=sha256,
            tokenizer=tokenizer_string(self.tokenizer, source.config["text_cfg"]),
            preprocessing=preprocessing_string(self.preprocessing),
            activation=computed_activation(source.config),
            dim=int(source.config["embed_dim"]),
            precision=dtype,
        )

    def _load(self, source: Source, spec: str, sha256: str | None, offline: bool) -> None:
        """Builds the model; checks the activation unless `sha256` is None."""
        checkpoint = source.read(source.weights)
        if sha256 is not None:
            trained = source.activation or checkpoint.activation or activation_of_hash(sha256)
            computed = computed_activation(source.config)
            check_activation(spec, source.architecture, computed, trained)
        built: Any = build_model(source.config, checkpoint, source.architecture)
        self.tokenizer = build_tokenizer(
            source.config["text_cfg"], source.tokenizer, offline=offline
        )
        self._check_vocabulary(source, built)
        self._set_towers(built)
        self._set_preprocessing(source, built)

    def _check_vocabulary(self, source: Source, model: Any) -> None:
        """Refuses a model that has no embedding for some of CLIP's tokens."""
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
            tower = PackedTextTower(model).eval()
            if not packs_agree(model, tower, ClipBpe(self.tokenizer)):
                refusal = "its embeddings through packs are not those of encode_text"
        self.pack_refusal = refusal
        self.clip = model.to(self._device, weights_dtype(self._device, self._dtype))
        self._check_range()
        self.image_tower = ImageTower(self.clip).eval()
        self.packed_tower = tower if refusal is None else None
        self._whole_texts = (
            None if self.packed_tower else WholeTexts(self.clip, self.tokenizer, self._dtype)
        )
        if self.packed_tower is not None:
            length = int(text_part(model).context_length)
            bpe = ClipBpe(self.tokenizer)
            self.text_tower = TorchPackTower(self.packed_tower, bpe, length, self._dtype)

    def _check_range(self) -> None:
        """Refuses float16 for weights past its range, which become infinite in it."""
        if self._dtype is not torch.float16:
            return
        for name, value in self.clip.named_parameters():
            if not torch.isfinite(value).all():
                raise ModelError(
                    f"model {self.model}: {name!r} is past the range of float16; take bfloat16"
                )

    def _set_preprocessing(self, source: Source, model: Any) -> None:
        """open_clip's own inference transform, at the size of the image tower."""
        config = merge_preprocess_dict(PreprocessCfg(), source.preprocessing)
        config["size"] = getattr(model.visual, "image_size", config["size"])
        try:
            Preprocessing.from_open_clip(config)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"model {self.model}: its configuration preprocesses images with {error}; "
                "mend its preprocess_cfg"
            ) from error
        self.preprocessing: dict[str, Any] = config
        self._transform = image_transform_v2(PreprocessCfg(**config), is_train=False)

    @classmethod
    def self_test(cls) -> str:
        """Multiplies two matrices on the best device, and says with what and where."""
        device = pick_device(None)
        if problem := why_not(device):
            raise IdiaIndexError(f"PyTorch does not compute on {device}: {problem}")
        versions = (f"{name} {version(name)}" for name in ("torch", "open_clip_torch"))
        return f"{', '.join(versions)}, on {describe_device(device)}"

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is, exactly."""
        return self._fingerprint

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        Raises:
            InputError: open_clip's preprocessing fails on an image.
        """
        if not images:
            return to_numpy(torch.empty(0, self._fingerprint.dim))
        pixels = torch.stack([self._pixels(image) for image in images])
        # TF32 would lose half the digits of float32 in convolutions.
        exact = torch.backends.cudnn.flags(allow_tf32=False)
        dtype = weights_dtype(self._device, self._dtype)
        with torch.inference_mode(), exact, products_in(self._device, self._dtype):
            return to_numpy(self.image_tower(pixels.to(self._device, dtype)))

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        self._check_shape(image)
        try:
            pixels: torch.Tensor = self._transform(image)
        # Pillow and torchvision raise what they please for modes and sizes they do not take.
        except Exception as error:
            raise InputError(
                f"an image of {image.width} x {image.height} in mode {image.mode} cannot be "
                f"preprocessed ({error}); convert it to RGB"
            ) from error
        return pixels

    def _check_shape(self, image: Image.Image) -> None:
        """Refuses what would fill the memory when its shorter side is scaled to the input's."""
        short, long = sorted(image.size)
        size = self.preprocessing["size"]
        side = max(size) if isinstance(size, (list, tuple)) else size
        if self.preprocessing["resize_mode"] == "shortest" and side**2 * long > MAX_PIXELS * short:
            raise InputError(
                f"an image of {image.width} x {image.height} pixels is too long for its width: "
                f"the model would see it with its shorter side at {side}; crop it"
            )

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        """Text embeddings float32 [n, D], not normalised, of whole texts.

        Raises:
            InputError: a text is past the context length.
        """
        if self._whole_texts is None:  # a causal tower, whose texts go through packs
            self._whole_texts = WholeTexts(self.clip, self.tokenizer, self._dtype)
        return self._whole_texts(texts)

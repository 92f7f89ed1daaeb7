"""Every setting of a CLIP or SigLIP in transformers: computed identically, or refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("open_clip")
from PIL import Image  # noqa: E402

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.backends.transformers_config import clip_config  # noqa: E402
from idia_index.backends.transformers_images import folder_preprocessing  # noqa: E402
from idia_index.backends.transformers_tokenizers import check_clip_tokenizer  # noqa: E402
from idia_index.encode.preprocessing import Preprocessing  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

SIDE = 32
CLIP: dict[str, Any] = {
    "size": {"shortest_edge": SIDE},
    "crop_size": {"height": SIDE, "width": SIDE},
}
SIGLIP: dict[str, Any] = {"size": {"height": SIDE, "width": SIDE}}
# One after the other and in pairs, in both families of processors.
CHANGES: list[dict[str, Any]] = [
    {},
    {"image_mean": [0.5, 0.5, 0.5]},
    {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
    {"image_std": [1.0, 1.0, 1.0]},
    {"image_mean": 0.5},
    *({"resample": number} for number in range(6)),
    *({f"do_{step}": False} for step in ("resize", "rescale", "normalize", "convert_rgb")),
    {"do_center_crop": False},
    {"do_center_crop": True},
    {"do_pad": True, "pad_size": {"height": 40, "width": 40}},
    {"rescale_factor": 1 / 127.5},
    {"rescale_factor": 1.0},
    {"rescale_factor": 1 / 255},
    {"size": {"shortest_edge": 40}},
    {"size": {"shortest_edge": 24}},
    {"size": {"height": SIDE, "width": SIDE}},
    {"size": {"height": 48, "width": SIDE}},
    {"size": {"shortest_edge": SIDE}},
    {"size": {"longest_edge": SIDE}},
    {"crop_size": {"height": 24, "width": 24}},
    {"crop_size": {"height": SIDE, "width": SIDE}},
    {"default_to_square": True},
]
# Those that one processor takes from another, or that say how its output lies; each alone, and
# with one that is read.
RARE: list[dict[str, Any]] = [
    {"size": SIDE},
    {"size": 40},
    {"size": [SIDE, SIDE]},
    {"size": {"min_pixels": 100, "max_pixels": 900}},
    {"crop_size": SIDE},
    {"crop_size": [24, 24]},
    {"do_pad": True},
    {"data_format": "channels_last"},
    {"input_data_format": "channels_first"},
    {"input_data_format": "channels_last"},
    {"device": "cpu"},
    {"return_tensors": "np"},
    {"disable_grouping": True},
    {"image_seq_length": 50},
]


def _cases() -> list[tuple[str, dict[str, Any]]]:
    pairs = [{**one, **other} for one, other in itertools.combinations(CHANGES, 2)]
    pairs += [{**common, **one} for one in RARE for common in ({}, {"image_mean": [0.5] * 3})]
    return [(family, change) for family in ("clip", "siglip") for change in pairs]


def _processor(family: str, change: dict[str, Any]) -> Any:
    """The processor in Pillow, which the models were trained with; torchvision's bytes differ."""
    if family == "clip":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil(**{**CLIP, **change})
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    return SiglipImageProcessorPil(**{**SIGLIP, **change})


def _photos() -> list[Image.Image]:
    random = np.random.default_rng(0)
    sizes = ((96, 80), (50, 120), (33, 32), (20, 30), (64, 64))
    return [Image.fromarray(random.integers(0, 256, (h, w, 3), np.uint8)) for w, h in sizes]


def _mine(folder: Path, family: str) -> np.ndarray | None:
    try:
        found, notes = folder_preprocessing(folder, SIDE, family)
    except InputError as error:
        assert "\n" not in str(error) and folder.name in str(error)
        return None
    assert not notes
    return Preprocessing.from_open_clip({**found, "size": SIDE}).pixels(_photos())


def test_pixels_are_those_of_the_processor_or_it_is_refused(tmp_path: Path) -> None:
    read = 0
    for number, (family, change) in enumerate(_cases()):
        folder = tmp_path / f"f{number}"
        folder.mkdir()
        try:
            processor = _processor(family, change)
            processor.save_pretrained(folder)
        except (ValueError, TypeError):
            continue  # nothing that it could save
        if number % 2:  # as transformers 5 saves it with a tokenizer
            plain = folder / "preprocessor_config.json"
            data = {"image_processor": json.loads(plain.read_text())}
            (folder / "processor_config.json").write_text(json.dumps(data))
            plain.unlink()
        mine = _mine(folder, family)
        if mine is None:
            continue
        read += 1
        for photo, pixels in zip(_photos(), mine, strict=True):
            theirs = np.asarray(processor(images=[photo], return_tensors="np")["pixel_values"][0])
            assert theirs.shape == pixels.shape, change
            assert np.abs(theirs - pixels).max() < 1e-5, change
    assert read > 60  # not all are refused


def test_every_setting_of_a_processor_is_among_the_changes() -> None:
    from transformers.processing_utils import ImagesKwargs

    for family in ("clip", "siglip"):
        assert _processor(family, {}).valid_kwargs is ImagesKwargs
    assert set(ImagesKwargs.__annotations__) == {key for one in CHANGES + RARE for key in one}


@pytest.mark.parametrize(
    "change", [{}, {"resample": 2}, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}]
)
def test_what_is_plain_is_read(change: dict[str, Any], tmp_path: Path) -> None:
    for family in ("clip", "siglip"):
        _processor(family, change).save_pretrained(tmp_path)
        assert _mine(tmp_path, family) is not None


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"data_format": "channels_first", "device": None, "disable_grouping": None}, True),
        ({"do_thumbnail": False, "use_square_size": False}, True),
        ({"antialias": False}, False),
        ({"data_format": "channels_last"}, False),
    ],
)
def test_what_the_fast_processors_save(change: dict[str, Any], read: bool, tmp_path: Path) -> None:
    _processor("clip", {}).save_pretrained(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}), encoding="utf-8-sig")
    assert (_mine(tmp_path, "clip") is not None) == read


def test_two_files_that_differ_are_refused(tmp_path: Path) -> None:
    _processor("clip", {}).save_pretrained(tmp_path)
    data = json.loads((tmp_path / "preprocessor_config.json").read_text())
    nested = {"image_processor": {**data, "image_mean": [0.5] * 3}}
    (tmp_path / "processor_config.json").write_text(json.dumps(nested))
    with pytest.raises(InputError, match="state different preprocessing"):
        folder_preprocessing(tmp_path, SIDE, "clip")


TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT_CHANGES: list[dict[str, Any]] = [
    {},
    *({"hidden_act": name} for name in ("gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh")),
    {"eos_token_id": 2},
    {"eos_token_id": 5},
    {"layer_norm_eps": 1e-3},
    {"attention_dropout": 0.5},
    {"max_position_embeddings": 40},
    {"intermediate_size": 90},
    {"projection_dim": 7},
    {"vocab_size": 49500},
    {"something_new": 3},
]
TOP_CHANGES: list[dict[str, Any]] = [
    {"projection_dim": 24},
    {"logit_scale_init_value": 1.0},
    {"initializer_factor": 2.0},
    {"something_new": 3},
]


def _models() -> list[dict[str, Any]]:
    towers = [{"text_config": change} for change in TEXT_CHANGES]
    towers += [{"vision_config": change} for change in TEXT_CHANGES[:6] + TEXT_CHANGES[8:12:2]]
    towers += [{"text_config": c, "vision_config": c} for c in TEXT_CHANGES[:6]]
    return towers + TOP_CHANGES


@pytest.mark.parametrize("change", _models(), ids=str)
def test_embeddings_are_those_of_transformers_or_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    text = {**TOWER, "intermediate_size": 64, "vocab_size": 49408, **change.get("text_config", {})}
    vision = {**TOWER, "intermediate_size": 64, "image_size": SIDE, "patch_size": 8}
    rest = {key: value for key, value in change.items() if not key.endswith("_config")}
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config={**vision, **change.get("vision_config", {})},
        **{"projection_dim": 16, **rest},
    )
    oracle = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for value in oracle.parameters():
            value.add_(0.1 * torch.randn_like(value))
    oracle.save_pretrained(tmp_path)
    _processor("clip", {}).save_pretrained(tmp_path)
    try:
        backend = OpenClipBackend(model=f"local-dir:{tmp_path}")
    except InputError as error:
        assert "\n" not in str(error)
        return
    ids = torch.tensor([[49406, 320, 1125, 539, 49407]])
    pixels = torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        theirs = [oracle.get_text_features(input_ids=ids), oracle.get_image_features(pixels)]
        length = int(backend.clip.context_length)
        padded = torch.nn.functional.pad(ids, (0, length - ids.shape[1]))
        mine = [backend.clip.encode_text(padded), backend.clip.encode_image(pixels)]
    for own, other in zip(mine, theirs, strict=True):
        rows = getattr(other, "pooler_output", other)
        unit = torch.nn.functional.normalize
        assert (unit(own, dim=-1) - unit(rows, dim=-1)).abs().max() < 1e-4


def test_the_older_field_of_a_tower_counts(tmp_path: Path) -> None:
    gelu = {"hidden_act": "gelu"}
    data = {
        "model_type": "clip",
        "text_config": {},
        "text_config_dict": gelu,
        "vision_config": gelu,
    }
    assert clip_config(data, tmp_path)["quick_gelu"] is False


def test_clips_own_tokenizer_as_transformers_saves_it(tmp_path: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    own = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    words = {names.get(word, word): number for word, number in own.encoder.items()}
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    merges = "\n".join(map(" ".join, own.bpe_ranks))
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    check_clip_tokenizer(tmp_path)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(str(tmp_path))
    saved = tmp_path / "saved"
    tokenizer.save_pretrained(saved)
    check_clip_tokenizer(saved)
    text = "a photo of Jane O'Neill, 1984"
    assert tokenizer(text)["input_ids"][1:-1] == own.encode(text)
    for name, change in (
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("tokenizer_config.json", {"strange": 1}),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}),
        ("tokenizer.json", {"normalizer": None}),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}),
        ("tokenizer.json", {"post_processor": None}),
        ("tokenizer.json", {"model": {"type": "WordLevel", "vocab": {"a": 1}}}),
        ("special_tokens_map.json", {"eos_token": "</s>"}),
        ("added_tokens.json", {"<name>": 49408}),
    ):
        path = saved / name
        before = path.read_text() if path.exists() else None
        path.write_text(json.dumps({**json.loads(before or "{}"), **change}))
        with pytest.raises(InputError, match="not CLIP's tokenizer"):
            check_clip_tokenizer(saved)
        path.write_text(before) if before else path.unlink()

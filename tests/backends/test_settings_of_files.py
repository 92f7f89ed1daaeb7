"""Settings that a weights file does not state: published, stated by the user, or assumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.backends.open_clip_activations import activation_of_tag  # noqa: E402
from idia_index.backends.open_clip_settings import settings_of_file  # noqa: E402
from idia_index.backends.settings import NAMED, SETTINGS  # noqa: E402
from idia_index.errors import InputError  # noqa: E402
from idia_index.registry import load_backend  # noqa: E402

PUBLISHED = sorted({architecture for architecture, _ in open_clip.list_pretrained()})
NONE = "0" * 64  # the SHA-256 of no published file


def _assumed(notes: tuple[str, ...], word: str) -> bool:
    return any(note.startswith("assumed: ") and word in note.split(":")[1] for note in notes)


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_settings_are_those_of_every_published_tag_or_assumed(architecture: str) -> None:
    config = open_clip.get_model_config(architecture)
    found = settings_of_file(architecture, config, Path("/none/w.pt"), NONE)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    entries = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
    assert entries
    for key in SETTINGS:
        same = all(entry[key] == found.preprocessing[key] for entry in entries)
        assert same != _assumed(found.notes, key), key
    activations = {activation_of_tag(entry) for entry in entries}
    if len(activations) == 1:
        assert found.activation == activations.pop()
    else:
        assert found.activation is None and _assumed(found.notes, "activation")


@pytest.mark.parametrize("architecture", sorted(set(open_clip.list_models()) - set(PUBLISHED)))
def test_without_published_weights_all_is_assumed_and_told(architecture: str) -> None:
    config = open_clip.get_model_config(architecture)
    found = settings_of_file(architecture, config, Path("/none/w.pt"), NONE)
    assert found.preprocessing == {key: NAMED["openai"][key] for key in SETTINGS}
    assert all(_assumed(found.notes, key) for key in SETTINGS)
    own = "timm_model_name" in config["vision_cfg"] and "hf_model_name" in config["text_cfg"]
    stated = architecture.endswith("-quickgelu")
    assert _assumed(found.notes, "activation") != (own or stated)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of the trainer, its checkpoint two folders down, as a tiny model's."""
    helper.register_tiny(tmp_path)
    folder = tmp_path / "logs" / "run" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"state_dict": helper.build(helper.config()).state_dict()}, folder / "epoch_5.pt")
    return folder / "epoch_5.pt"


def _params(checkpoint: Path, **values: Any) -> None:
    lines = {"lr": 0.001, "model": helper.TINY, "pretrained": "", **values}
    text = "".join(f"{name}: {value}\n" for name, value in sorted(lines.items()))
    (checkpoint.parent.parent / "params.txt").write_text(text)


def test_the_trainers_parameters_are_read(run: Path) -> None:
    _params(
        run,
        image_mean=[0.1, 0.2, 0.3],
        image_std=None,
        image_interpolation="bilinear",
        image_resize_mode="squash",
        force_quick_gelu=False,
    )
    backend = OpenClipBackend(model=f"{helper.TINY}/{run}")
    assert json.loads(backend.fingerprint.preprocessing) == {
        "fill_color": 0,
        "interpolation": "bilinear",
        "mean": [0.1, 0.2, 0.3],
        "mode": "RGB",
        "resize_mode": "squash",
        "size": [32, 32],
        "std": list(open_clip.OPENAI_DATASET_STD),
    }
    assert not any(note.startswith("assumed") for note in backend.notes)


def test_a_run_with_quick_gelu_is_not_computed_with_gelu(run: Path) -> None:
    _params(run, force_quick_gelu=True)
    with pytest.raises(InputError, match=f"trained with QuickGELU.*use {helper.TINY_QUICK}/"):
        OpenClipBackend(model=f"{helper.TINY}/{run}")
    quick = OpenClipBackend(model=f"{helper.TINY}/{run}", activation="quick_gelu")
    assert quick.fingerprint.activation == "quick_gelu"
    assert quick.fingerprint.architecture == helper.TINY_QUICK


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": "ViT-B-32"}, "were trained as ViT-B-32, not idia-tiny"),
        ({"model": "nothing"}, "which open_clip does not know"),
        ({"force_strange": 3}, "force_strange is '3', which is not understood"),
        ({"image_crop": "half"}, "image_crop is 'half', which is not understood"),
        ({"force_image_size": "big"}, "force_image_size 'big' is not a size"),
    ],
)
def test_parameters_that_are_not_understood(values: dict[str, Any], words: str, run: Path) -> None:
    _params(run, **values)
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"{helper.TINY}/{run}")
    assert words in str(caught.value) and "params.txt" in str(caught.value)


def test_what_is_stated_is_computed_and_no_longer_assumed(run: Path) -> None:
    spec = f"{helper.TINY}/{run}"
    silent = OpenClipBackend(model=spec)
    assert _assumed(silent.notes, "mean") and _assumed(silent.notes, "activation")
    stated = OpenClipBackend(model=spec, preprocess="inception", activation="gelu")
    assert not any(note.startswith("assumed") for note in stated.notes)
    data = json.loads(stated.fingerprint.preprocessing)
    assert data["mean"] == [0.5, 0.5, 0.5] and data["resize_mode"] == "squash"
    for options, words in (
        ({"preprocess": "none"}, "available: openai, inception, imagenet"),
        ({"preprocess": {"mean": [1, 2, 3]}}, "does not state std"),
        ({"preprocess": {**NAMED["openai"], "crop": 3}}, "'crop' is not understood"),
        (
            {"preprocess": {**NAMED["openai"], "interpolation": "lanczos"}},
            "interpolation 'lanczos'",
        ),
        ({"activation": "relu"}, "available: gelu, quick_gelu"),
        ({"weights": "best"}, "available: raw, ema"),
        ({"weights": "ema"}, "no key names a moving average"),
    ):
        with pytest.raises(InputError, match=words):
            OpenClipBackend(model=spec, **options)  # type: ignore[arg-type]


def test_a_file_of_preprocessing_is_kept_by_its_whole_path(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.json").write_text(json.dumps(NAMED["inception"]))
    monkeypatch.chdir(tmp_path)
    backend = load_backend("open_clip", model=f"{helper.TINY}/{run}", preprocess="p.json")
    assert backend.load_options["preprocess"] == str(tmp_path / "p.json")


def test_a_configuration_beside_a_file_is_read(run: Path) -> None:
    beside = run.parent / "open_clip_config.json"
    pre = {**NAMED["inception"], "size": 32}
    beside.write_text(json.dumps({"model_cfg": helper.config(), "preprocess_cfg": pre}))
    data = OpenClipBackend(model=f"{helper.TINY}/{run}").fingerprint.preprocessing
    assert '"mean":[0.5,0.5,0.5]' in data
    other = helper.config({"layers": 3})
    beside.write_text(json.dumps({"model_cfg": other, "preprocess_cfg": pre}))
    with pytest.raises(InputError, match=r"describes .*, not .*; write local-dir:"):
        OpenClipBackend(model=f"{helper.TINY}/{run}")


def test_a_folder_that_does_not_state_its_preprocessing_is_told(tmp_path: Path) -> None:
    cfg = helper.config()
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": cfg, "preprocess_cfg": {"mean": [0.5] * 3}}))
    notes = OpenClipBackend(model=f"local-dir:{folder}").notes
    assert _assumed(notes, "std, interpolation, resize_mode") and not _assumed(notes, "mean")
    path.write_text(json.dumps({"model_cfg": cfg, "preprocess_cfg": {"crop_pct": 0.9}}))
    with pytest.raises(InputError, match="'crop_pct' is not understood"):
        OpenClipBackend(model=f"local-dir:{folder}")

"""Hugging Face `transformers` as an independent oracle: its CLIP, tokenizer and weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

START, END = 49406, 49407


def _oracle(folder: Path, **options: Any) -> Any:
    """transformers' CLIPModel with random weights, saved as transformers saves it."""
    torch.manual_seed(0)
    tower = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, **options}
    config = transformers.CLIPConfig(
        text_config={**tower, "intermediate_size": 96, "vocab_size": 49408},
        vision_config={**tower, "intermediate_size": 128, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.05 * torch.randn_like(value))
    model.save_pretrained(folder)
    return model


def _rows(output: Any) -> np.ndarray:
    # Version 5 returns the towers' output with the embedding in it.
    rows = output if isinstance(output, torch.Tensor) else output.pooler_output
    return F.normalize(rows, dim=-1).detach().numpy()


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_embeddings_are_those_of_transformers(activation: str, tmp_path: Path) -> None:
    oracle = _oracle(tmp_path, hidden_act=activation)
    backend = OpenClipBackend(model=f"local-dir:{tmp_path}")
    assert backend.fingerprint.activation == activation
    assert backend.pack_refusal is None
    assert any(note.startswith("assumed: CLIP's own tokenizer") for note in backend.notes)
    got = Backend(backend).encode_texts(helper.TEXTS)
    bodies = backend.text_tower.tokenizer.encode(helper.TEXTS)  # type: ignore[union-attr]
    for row, body in zip(got, bodies, strict=True):
        ids = torch.tensor([[START, *body, END]])
        expected = _rows(oracle.get_text_features(input_ids=ids))
        assert np.abs(row - expected).max() < 1e-5
    pixels = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        mine = F.normalize(backend.image_tower(pixels), dim=-1).numpy()
    expected = _rows(oracle.get_image_features(pixel_values=pixels))
    assert np.abs(mine - expected).max() < 1e-5


def test_the_same_weights_in_two_formats_are_one_model(tmp_path: Path) -> None:
    _oracle(tmp_path)
    first = OpenClipBackend(model=f"local-dir:{tmp_path}")
    cfg = helper.config({"layers": 3, "mlp_ratio": 3.0}, embed_dim=24, quick_gelu=True)
    cfg["vision_cfg"]["layers"] = 3
    folder = helper.save_folder(tmp_path / "open_clip", cfg, first.clip)
    second = OpenClipBackend(model=f"local-dir:{folder}")
    assert np.array_equal(
        Backend(first).encode_texts(helper.TEXTS), Backend(second).encode_texts(helper.TEXTS)
    )
    images = helper.pictures()
    assert np.array_equal(
        Backend(first).encode_images(images), Backend(second).encode_images(images)
    )


def _edit(path: Path, **values: Any) -> None:
    data = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**data, **values}))


def test_what_open_clip_has_no_counterpart_of_is_refused(tmp_path: Path) -> None:
    _oracle(tmp_path)
    spec = f"local-dir:{tmp_path}"
    preprocessor = tmp_path / "preprocessor_config.json"
    _edit(preprocessor, size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    with pytest.raises(InputError, match=r"size is .* which is not supported"):
        OpenClipBackend(model=spec)
    _edit(preprocessor, size=None)  # for which transformers has no default
    with pytest.raises(InputError, match=r"size is 'None'.* which is not supported"):
        OpenClipBackend(model=spec)
    _edit(preprocessor, size={"shortest_edge": 32}, resample=2, image_mean=[0.1, 0.2, 0.3])
    text = OpenClipBackend(model=spec).fingerprint.preprocessing
    assert '"interpolation":"bilinear"' in text and '"mean":[0.1,0.2,0.3]' in text
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(InputError, match="not CLIP's merges"):
        OpenClipBackend(model=spec)
    (tmp_path / "merges.txt").unlink()
    _edit(tmp_path / "config.json", model_type="blip")
    with pytest.raises(InputError, match="model_type 'blip' is not supported"):
        OpenClipBackend(model=spec)

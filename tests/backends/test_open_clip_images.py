"""Image towers on the CPU, against open_clip's own modules and transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

import open_clip_helper as helper  # noqa: E402
from open_clip.model import CLIPVisionCfg, _build_vision_tower  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.backends.torch_cpu_images import cpu_image_tower  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402

pytestmark = pytest.mark.torch

VIT = {"image_size": 32, "patch_size": 8, "width": 64, "layers": 3, "head_width": 16}
TOWERS = {
    "plain": VIT,
    "layer scale": {**VIT, "ls_init_value": 0.3},
    "no first norm": {**VIT, "no_ln_pre": True},
    "norm after pool": {**VIT, "final_ln_after_pool": True},
    "wide": {**VIT, "image_size": (32, 48)},
    "patches that leave a rest": {**VIT, "image_size": 36},
    "resnet": {"layers": (1, 2, 1, 1), "width": 16, "image_size": 64},
}
OTHERS = {
    "mean of tokens": {**VIT, "pool_type": "avg"},
    "attention pool": {**VIT, "attentional_pool": True, "attn_pooler_heads": 4},
}


def tower(config: dict[str, Any], quick: bool = False) -> Any:
    torch.manual_seed(3)
    built = _build_vision_tower(24, CLIPVisionCfg(**config), quick_gelu=quick).eval()
    for module in built.modules():  # as after training: not the identity
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return built


def rows(run: Any, pixels: Any) -> Any:
    with torch.inference_mode():
        return F.normalize(run(pixels))


def pixels_of(config: dict[str, Any], count: int) -> Any:
    size = config["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("sort", TOWERS)
def test_the_fast_tower_is_open_clips(sort: str, quick: bool) -> None:
    own = tower(TOWERS[sort], quick)
    fast = cpu_image_tower(own, torch.float32)
    assert fast is not None
    for count in (1, 5):
        pixels = pixels_of(TOWERS[sort], count)
        assert (rows(fast, pixels) - rows(own, pixels)).abs().max() < 2e-6


@pytest.mark.parametrize("sort", OTHERS)
def test_other_towers_are_left_as_they_are(sort: str) -> None:
    assert cpu_image_tower(tower(OTHERS[sort]), torch.float32) is None


def test_a_tower_that_computes_something_else_is_not_taken() -> None:
    own = tower(VIT)
    own.transformer.resblocks[1].register_forward_hook(lambda module, given, out: out * given[0])
    assert cpu_image_tower(own, torch.float32) is None


def test_bfloat16_is_close_in_every_image() -> None:
    own = tower({**VIT, "layers": 6})
    fast = cpu_image_tower(own, torch.bfloat16)
    pixels = pixels_of(VIT, 20)
    cosines = (rows(fast, pixels) * rows(own, pixels)).sum(dim=1)
    assert cosines.min() >= 0.9998 and cosines.max() < 1 - 1e-9


def photos(count: int) -> list[Image.Image]:
    random = np.random.default_rng(7)
    sizes = random.integers(20, 300, (count, 2)).tolist()
    return [
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for height, width in sizes
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_many_images_in_threads_are_open_clips(threads: int, tmp_path: Any) -> None:
    """Their order, their pixels bit for bit, and their embeddings."""
    helper.register_tiny(tmp_path)
    model = helper.build(helper.config())
    path = tmp_path / "tiny.pt"
    torch.save(model.state_dict(), path)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        backend = OpenClipBackend(model=f"{helper.TINY}/{path}")
        assert backend.image_workers == threads
        images = photos(70)
        got = Backend(backend).encode_images(images)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    transform = open_clip.image_transform(backend.preprocessing["size"], is_train=False)
    pixels = torch.stack([transform(image) for image in images])
    fitted = torch.stack([transform(backend.fit_image(image)) for image in images])
    assert torch.equal(pixels, fitted)
    assert np.abs(got - rows(model.eval().visual, pixels).numpy()).max() < 2e-6

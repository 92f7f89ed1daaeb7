"""Training with differential privacy: what one canary can change, against plain autograd."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("open_clip")
torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "study"))

import train  # noqa: E402
import train_private  # noqa: E402
from torch.nn.functional import cross_entropy, normalize  # noqa: E402

SHORT = 0.5


@pytest.mark.parametrize("length", [SHORT, 1e6])
def test_a_canary_adds_its_own_gradient_clipped(
    monkeypatch: pytest.MonkeyPatch, length: float
) -> None:
    monkeypatch.setattr(train_private, "CLIP", length)
    model = train.new_model(1, torch.arange(20)).double()
    pixels = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    tokens = torch.randint(1, 19, (3, 24))
    tokens[:, 7] = 19  # the end of the text
    images, texts = normalize(torch.randn(2, 4, 64, dtype=torch.float64), dim=-1)
    more, lengths = train_private.clipped_sum(model, (pixels, tokens), images, texts)
    less, _ = train_private.clipped_sum(model, (pixels[:2], tokens[:2]), images, texts)

    image, text, scale = model(pixels[2:], tokens[2:])
    right = torch.tensor([0])
    by_image = cross_entropy(scale * image @ torch.cat([text, texts]).T, right)
    by_text = cross_entropy(scale * text @ torch.cat([image, images]).T, right)
    ((by_image + by_text) / 2).backward()
    whole = torch.cat([model.get_parameter(name).grad.flatten() for name in more])
    moved = torch.cat([(more[name] - less[name]).flatten() for name in more])
    assert float(whole.norm()) == pytest.approx(float(lengths[2]), rel=1e-9)
    assert float(whole.norm()) > SHORT  # or nothing would be clipped
    torch.testing.assert_close(moved, whole * min(1, length / float(lengths[2])))
    assert float(moved.norm()) <= length + 1e-9

"""Train a small CLIP with differential privacy for canaries: one canary, all images, is the unit.

    python benchmarks/study/train_private.py --noise 1 --out work/     # work/private-1/model
    idia-index canary audit local-dir:work/private-1/model work/canaries --delta 1e-5

`work/` holds names.txt and the canaries, as train_canaries.py says. CLIP's loss couples the pairs
of a batch, so that a pair has no gradient of its own, and what clipping by pair protects is not
defined. Here the study's model and pairs are public (they hold no canary), and every canary has a
loss of its own: one of its pairs, drawn anew each step, against a batch of public pairs, never
against other canaries. So its gradient is a function of its own data, of public data and of the
weights. It is clipped to length 1; all canaries' are summed in every step, and Gaussian noise of
`--noise` is added to the sum. Adding or removing a canary with all its images moves the sum by 1 at
most, hence a training of T steps is sqrt(T) / noise-GDP (Dong, Roth and Su, arXiv 1905.02383), as
much as Gaussian noise of a generator with a known seed can be: who trains on people takes noise
that nobody can repeat. The public pairs' gradient is added without noise. A training resumes.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from study_data import augment, tokenize
from study_export import export_model
from study_population import SHIPPED_SEED
from study_recipe import Recipe
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from train_canaries import Mixed, Pairs, canary_pairs, study_pairs
from train_stand_ins import start_from_shipped

from idia_index.evaluation.gaussian import gaussian_epsilon

RECIPE = Recipe(steps=100, batch=128, rate=5e-4, warm_up=10, save_every=10)
CLIP = 30.0
EXPECTED = 200  # canaries put in: half of 400, whatever the coins said
# What canaries train: the fewer weights, the less noise.
PRIVATE = ("transformer.resblocks.1.", "ln_final.", "text_projection")
DELTA = 1e-5

Weights = dict[str, torch.Tensor]
Batch = tuple[torch.Tensor, torch.Tensor]  # images and tokens


def own_loss(
    model: Any, weights: Weights, pair: Batch, images: torch.Tensor, texts: torch.Tensor
) -> torch.Tensor:
    """CLIP's loss of one pair, `[D]` and `[C]`, against public embeddings `[b, D]`."""
    image, tokens = pair
    _, text, scale = functional_call(model, weights, (None, tokens[None]))
    by_image = scale * image[None] @ torch.cat([text, texts]).T
    by_text = scale * text @ torch.cat([image[None], images]).T
    return -(by_image.log_softmax(1)[0, 0] + by_text.log_softmax(1)[0, 0]) / 2


def clipped_sum(
    model: Any, pairs: Batch, images: torch.Tensor, texts: torch.Tensor
) -> tuple[Weights, torch.Tensor]:
    """The sum of the gradients of m pairs, each clipped to `CLIP`, and their lengths before.

    Args:
        model: whose `PRIVATE` weights are differentiated.
        pairs: images as the tower takes them, `[m, 3, S, S]`, and tokens `[m, C]`.
        images, texts: embeddings of public pairs, `[b, D]`.
    """
    weights = {name: each.detach() for name, each in model.named_parameters()}
    mine = {name: each for name, each in weights.items() if name.startswith(PRIVATE)}
    gradient = vmap(
        grad(lambda own, pair: own_loss(model, {**weights, **own}, pair, images, texts)),
        in_dims=(None, 0),
    )
    with torch.no_grad():
        own_images = model.encode_image(pairs[0], normalize=True)
    with sdpa_kernel(SDPBackend.MATH):  # the others know no vmap
        found = gradient(mine, (own_images, pairs[1]))
    squares = [each.reshape(len(each), -1).square().sum(1) for each in found.values()]
    lengths = torch.stack(squares).sum(0).sqrt()
    factors = (CLIP / lengths).clamp(max=1)
    return {name: torch.tensordot(factors, each, 1) for name, each in found.items()}, lengths


class Private(Mixed):
    """A run on public pairs, and on one pair of each canary a step, clipped and with noise."""

    def __init__(self, own: Pairs, noise: float, seed: int, out: Path) -> None:
        super().__init__(study_pairs(), SHIPPED_SEED + seed, RECIPE, out)
        self.noise, self.own = noise, own
        self.own_tokens = torch.searchsorted(self.vocabulary, tokenize(own.captions))
        names = (out.parent / "names.txt").read_text(encoding="utf-8").splitlines()
        rows = [[i for i, c in enumerate(own.captions) if name in c] for name in names]
        self.rows = [mine for mine in rows if mine]  # of each canary that was put in

    def _identity(self) -> str:
        own = int(self.own.images.sum(dtype=np.int64))
        return f"{super()._identity()} {self.noise} {CLIP} {own}"

    def own_pairs(self) -> Batch:
        """One pair of each canary, drawn for this step."""
        random = np.random.default_rng([self.seed, 3, self.step])
        rows = np.array([mine[random.integers(len(mine))] for mine in self.rows])
        pixels = augment(self.own.images[rows], self.recipe, self.seed + 1, self.step)
        return pixels, self.own_tokens[torch.from_numpy(rows)]

    def backward(self, pixels: torch.Tensor, tokens: torch.Tensor) -> float:
        image, text, scale = self.model(pixels, tokens)
        loss = self.loss(image, text, scale)
        loss.backward()
        sums, lengths = clipped_sum(self.model, self.own_pairs(), image.detach(), text.detach())
        dice = torch.Generator().manual_seed(1000 * self.seed + self.step)
        for name, each in sums.items():
            noise = self.noise * CLIP * torch.randn(each.shape, generator=dice)
            self.model.get_parameter(name).grad += (each + noise) / EXPECTED
        if self.step % 10 == 0:
            print(f"step {self.step:5d}  median length {lengths.median():.2f}", flush=True)
        return float(loss.detach())


def guarantee(noise: float) -> str:
    """What the noise promises, for each canary."""
    if noise == 0:
        return "clipped, no noise: no guarantee"
    mu = math.sqrt(RECIPE.steps) / noise
    return f"mu {mu:.2f}, epsilon {gaussian_epsilon(mu, DELTA):.2f} at delta {DELTA}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", type=float, required=True, help="standard deviation, by clip")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="another order and other noise")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    suffix = f"-{arguments.seed}" if arguments.seed else ""
    out = arguments.out / f"private-{arguments.noise:g}{suffix}"
    out.mkdir(parents=True, exist_ok=True)
    own = canary_pairs(arguments.out / "canaries")
    run = Private(own, arguments.noise, arguments.seed, out)
    if not run.resume():
        start_from_shipped(run)
    print("from step", run.step, "with", len(run.rows), "canaries;", guarantee(arguments.noise))
    run.train()
    export_model(run.model, run.vocabulary, out / "model")
    print(f"done: {run.seconds:.0f} s of training")


if __name__ == "__main__":
    main()

"""Train the controlled study's CLIP from scratch on portraits of people who do not exist.

    python benchmarks/study/train.py --seed 1 --out runs/1

Two CPU cores, a few minutes. Interrupted, it goes on from its last checkpoint, to the same weights
bit for bit (same machine, same number of threads).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from study_data import augment, batch_rows, render_items, tokenize
from study_export import export_model
from study_plan import Item, training_items
from study_population import build_population
from study_recipe import CONFIG, Recipe


def rate_at(step: int, recipe: Recipe) -> float:
    """Learning rate: linear warm-up, then a cosine down to zero."""
    if step < recipe.warm_up:
        return recipe.rate * (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * done))


def new_model(seed: int, vocabulary: torch.Tensor) -> Any:
    """An open_clip model with fresh weights, its token embedding cut to the rows in use.

    A row that no caption uses never changes, so training without it gives the same weights in
    less time. The order of the rows is kept: open_clip finds the end of a text at its highest id.
    """
    torch.manual_seed(seed)
    model = open_clip.CLIP(**CONFIG["model_cfg"])
    rows = model.token_embedding.weight.detach()[vocabulary].clone()
    model.token_embedding = torch.nn.Embedding(*rows.shape)
    model.token_embedding.weight.data.copy_(rows)
    return model


def new_optimiser(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW as CLIP trains with: no decay on gains, biases and embeddings."""
    plain = [p for n, p in model.named_parameters() if p.ndim < 2 or "embedding" in n]
    decayed = [p for n, p in model.named_parameters() if not (p.ndim < 2 or "embedding" in n)]
    groups = [
        {"params": plain, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": recipe.decay},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), eps=1e-6)


class Run:
    """One training run in a folder: its data, model, optimiser and checkpoint."""

    def __init__(
        self,
        items: list[Item],
        seed: int,
        recipe: Recipe,
        out: Path,
        pairs: tuple[NDArray[np.uint8], list[str]] | None = None,
    ) -> None:
        """`pairs` are images and captions that are there already, in place of items."""
        self.seed, self.recipe, self.out = seed, recipe, out
        self.images, captions = pairs or (render_items(items), [item.caption for item in items])
        tokens = tokenize(captions)
        self.vocabulary = torch.from_numpy(np.unique(tokens.numpy()))
        self.tokens = torch.searchsorted(self.vocabulary, tokens)
        self.model = new_model(seed, self.vocabulary)
        self.optimiser = new_optimiser(self.model, recipe)
        self.loss = open_clip.ClipLoss()
        self.step = 0
        self.seconds = 0.0

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def begin_from(self, weights: Path) -> None:
        """Takes an exported model's weights in place of fresh ones."""
        state = {name: value.float() for name, value in load_file(weights).items()}
        rows = state["token_embedding.weight"]
        self.model.load_state_dict({**state, "token_embedding.weight": rows[self.vocabulary]})

    def _identity(self) -> str:
        data = [len(self.images), int(self.images.sum(dtype=np.int64)), int(self.tokens.sum())]
        return json.dumps([dataclasses.asdict(self.recipe), CONFIG, self.seed, data])

    def save(self) -> None:
        """Writes the checkpoint beside its place, then moves it there."""
        state = {
            "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.step, "seconds": self.seconds, "identity": self._identity(),
        }  # fmt: skip
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def resume(self) -> bool:
        """Takes up the checkpoint of the same run, if there is one."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        if state["identity"] != self._identity():
            raise SystemExit(
                f"{self.checkpoint} belongs to another recipe or seed: use another --out"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        return True

    def one_step(self) -> float:
        """Trains on one batch and returns its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.step, self.recipe)
        rows = batch_rows(len(self.images), self.recipe, self.seed, self.step)
        pixels = augment(self.images[rows], self.recipe, self.seed, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.backward(pixels, self.tokens[torch.from_numpy(rows)])
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        self.step += 1
        return loss

    def backward(self, pixels: torch.Tensor, tokens: torch.Tensor) -> float:
        """The loss of a batch; its gradient is added to the parameters'."""
        loss = self.loss(*self.model(pixels, tokens))
        loss.backward()
        return float(loss.detach())

    def train(self, until: int | None = None) -> None:
        """Trains to the recipe's last step, or stops early as an interruption would."""
        self.model.train()
        last = self.recipe.steps if until is None else until
        while self.step < last:
            start = time.perf_counter()
            loss = self.one_step()
            self.seconds += time.perf_counter() - start
            if self.step % 25 == 0:
                print(f"step {self.step:5d}  loss {loss:.3f}  {self.seconds:6.1f} s", flush=True)
            if self.step % self.recipe.save_every == 0 or self.step == self.recipe.steps:
                self.save()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seed", type=int, required=True, help="of the population, the images and the weights"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument(
        "--least-share", type=float, default=Recipe.least_share,
        help="of a plain image's width that a portrait takes; drawn anew for each, up to all of it",
    )  # fmt: skip
    parser.add_argument("--from", dest="weights", type=Path, help="safetensors to begin with")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    items = training_items(build_population(arguments.seed), arguments.seed)
    recipe = Recipe(steps=arguments.steps, least_share=arguments.least_share)
    run = Run(items, arguments.seed, recipe, arguments.out)
    if arguments.weights is not None:
        run.begin_from(arguments.weights)
    print("resumed" if run.resume() else "started", f"with {len(items)} pairs", flush=True)
    run.train()
    export_model(run.model, run.vocabulary, arguments.out / "model")
    print(f"done: {run.seconds:.0f} s of training")


if __name__ == "__main__":
    main()

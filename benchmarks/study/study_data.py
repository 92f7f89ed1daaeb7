"""Training pairs as arrays, and each step's batch as a function of (seed, step) alone."""

from __future__ import annotations

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from study_plan import Item, draw
from study_recipe import CONTEXT, MEAN, STD, Recipe

from idia_index.study.portrait import SIZE


def render_items(items: list[Item]) -> NDArray[np.uint8]:
    """The images of training pairs: uint8 `[n, SIZE, SIZE, 3]`."""
    images = np.empty((len(items), SIZE, SIZE, 3), dtype=np.uint8)
    for row, item in enumerate(items):
        images[row] = np.asarray(draw(item))
    return images


def tokenize(texts: list[str]) -> torch.Tensor:
    """CLIP's tokens, padded to the study's context: int64 `[n, CONTEXT]`; never truncated."""
    long: torch.Tensor = open_clip.SimpleTokenizer(context_length=77)(texts)
    if bool((long[:, CONTEXT:] != 0).any()):
        raise ValueError(f"a caption has more than {CONTEXT} tokens")
    return long[:, :CONTEXT].contiguous()


def batch_rows(count: int, recipe: Recipe, seed: int, step: int) -> NDArray[np.int64]:
    """The rows of one step: epochs are whole permutations, a remainder is left out."""
    per_epoch = count // recipe.batch
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng([seed, 1, epoch]).permutation(count)
    return np.asarray(order[place * recipe.batch : (place + 1) * recipe.batch], dtype=np.int64)


def augment(images: NDArray[np.uint8], recipe: Recipe, seed: int, step: int) -> torch.Tensor:
    """Shifts and relights a batch: uint8 `[b, S, S, 3]` -> normalised float32 `[b, 3, S, S]`."""
    images = reframe(images, recipe.least_share, np.random.default_rng([seed, 3, step]))
    rng = np.random.default_rng([seed, 2, step])
    reach = recipe.shift
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    moved = np.empty_like(images)
    for i, (dy, dx) in enumerate(rng.integers(0, 2 * reach + 1, size=(len(images), 2))):
        moved[i] = padded[i, dy : dy + SIZE, dx : dx + SIZE]
    light = 1 + recipe.light * (2 * rng.random((len(images), 1, 1, 1)) - 1)
    return normalise(np.clip(moved * light, 0, 255))


def reframe(images: NDArray[np.uint8], least: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each image in the middle of a plain one, of which it takes `least` to all of the width."""
    if least == 1:
        return images
    wider = np.empty_like(images)
    for i, share in enumerate(rng.uniform(least, 1, size=len(images))):
        side = round(SIZE * share)
        framed = Image.new("RGB", (SIZE, SIZE), tuple(rng.integers(0, 256, 3).tolist()))
        small = Image.fromarray(images[i]).resize((side, side), Image.Resampling.BICUBIC)
        framed.paste(small, ((SIZE - side) // 2,) * 2)
        wider[i] = np.asarray(framed)
    return wider


def normalise(images: NDArray[np.generic]) -> torch.Tensor:
    """Pixel values 0..255 `[b, S, S, 3]` -> float32 `[b, 3, S, S]` as the towers take them."""
    scaled = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)) / 255
    return ((scaled - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2).contiguous()

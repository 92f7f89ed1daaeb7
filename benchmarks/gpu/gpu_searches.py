"""Searches against a plain product of the same rows on the same card, and its memory's rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from common import Row, Scale, memory_rate, seconds, wait
from index_checks import makers
from index_data import unit_rows

from idia_index.indexes.flat import FloatShard
from idia_index.indexes.torch_gpu import DeviceShard
from idia_index.search.rerank import rank, search_shard, similarity
from idia_index.search.scan import Tile, find_contenders
from idia_index.types import Float32, Int64

DIM, TEMPLATES = 512, 21
SHARD = (64 << 20) // (4 * DIM * TEMPLATES)  # names of a shard, as builds cut them


def search_speed(scale: Scale) -> Iterator[Row]:
    """30, 300 and 3,000 photos in 21 x 100,000 and 21 x 1,000,000 names."""
    device = scale.device
    rate = memory_rate(device, scale.pick(1 << 24, 1 << 32))
    yield Row("memory, read by a sum", f"{rate / 1e9:,.0f} GB/s")
    for names in scale.pick((2 * SHARD,), (100_000, 1_000_000)):
        size = 4 * DIM * TEMPLATES * names
        if device == "cuda" and size > 0.65 * torch.cuda.get_device_properties(0).total_memory:
            yield Row(f"{names:,} names", f"skipped: {size / 1e9:.0f} GB do not fit the card")
            continue
        shards = _shards(names, device)
        yield from _searches(shards, names, size, rate, scale)
        if names <= 100_000:
            yield from _by_faiss(shards, names, scale)
        shards.clear()
        if device == "cuda":
            torch.cuda.empty_cache()


def _shards(names: int, device: str) -> list[DeviceShard]:
    """Random unit rows in shards, in this process's memory; drawn on the device."""
    made = torch.Generator(device=device).manual_seed(0)
    shards = []
    for first in range(0, names, SHARD):
        shape = (TEMPLATES, min(SHARD, names - first), DIM)
        rows = torch.randn(shape, generator=made, device=device)
        rows /= rows.norm(dim=2, keepdim=True)
        flat = FloatShard(rows.cpu().numpy(), None)
        shards.append(DeviceShard(flat, torch.device(device)))
    return shards


def _searches(
    shards: list[DeviceShard], names: int, size: int, rate: float, scale: Scale
) -> Iterator[Row]:
    device = scale.device
    for count in scale.pick((3,), (30, 300, 3000)):
        queries = unit_rows(np.random.default_rng(count), count, DIM)
        what = f"{count:,} photos in {TEMPLATES} x {names:,} names"
        found = _search(shards, queries)  # rows come to stay
        right = _plain(shards, queries, device)
        differ = int((found != right).sum())
        ours = seconds(lambda: _search(shards, queries), device, 3)  # noqa: B023
        plain = seconds(lambda: _plain(shards, queries, device), device, 3)  # noqa: B023
        share = size / ours / rate
        yield Row(
            f"torch, {what}",
            f"{ours * 1e3:.1f} ms, {share:.0%} of the memory's rate; plain product "
            f"{plain * 1e3:.1f} ms ({size / plain / rate:.0%}), "
            f"{differ} of {right.size:,} names differ",
            None,
            {"s": ours, "plain s": plain, "share": share, "differ": differ},
        )


def _search(shards: list[DeviceShard], queries: Float32) -> Int64:
    """The most similar name of each template and photo, int64 [T, M], exactly."""
    tiles = [
        Tile(shard, shard.shape[1], place * SHARD, 0, np.zeros(TEMPLATES))
        for place, shard in enumerate(shards)
    ]
    answer = []
    for template, found in enumerate(find_contenders(tiles, queries, 1, range(TEMPLATES))):
        rows = np.stack(
            [shards[i // SHARD].vectors(template)[i % SHARD] for i in found.ids.tolist()]
        )
        exact = similarity(queries[found.queries], rows)
        answer.append(rank(found, exact, len(queries), 1)[1][:, 0])
    return np.stack(answer)


@torch.inference_mode()
def _plain(shards: list[DeviceShard], queries: Float32, device: str) -> Int64:
    """The same by float32 products and maxima alone, in the order that they round to."""
    asked = torch.from_numpy(queries).to(device)
    best: Any = None
    for place, shard in enumerate(shards):
        product = shard.product(asked, shard._on_device(slice(0, TEMPLATES)))
        value, where = product.max(dim=2)
        where = where + place * SHARD
        if best is not None:
            where = torch.where(value > best[0], where, best[1])
            value = torch.maximum(value, best[0])
        best = value, where
    found: Int64 = best[1].T.cpu().numpy()
    return found


def _by_faiss(shards: list[DeviceShard], names: int, scale: Scale) -> Iterator[Row]:
    make = makers(scale.device)["faiss-gpu"]
    if isinstance(make, str):
        yield Row(f"faiss-gpu in {names:,} names", f"skipped: {make}")
        return
    for count in (30, 300):
        queries = unit_rows(np.random.default_rng(count), count, DIM)
        opened = [make(FloatShard(shard._vectors, None)) for shard in shards]
        time = seconds(lambda: [search_shard(o, queries, 1) for o in opened], scale.device, 1)  # noqa: B023
        wait(scale.device)
        yield Row(f"faiss-gpu, {count} photos in {names:,} names", f"{time * 1e3:.0f} ms", None,
                  {"s": time})  # fmt: skip

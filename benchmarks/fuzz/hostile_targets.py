"""What is attacked: an index with every sort of file, of each kind, and an export."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.change import add_names, add_templates, remove_names
from idia_index.pipelines.compact import compact
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.repair import repair
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.store.manifest_json import MAX_BYTES, seal
from idia_index.store.summary import summarize
from idia_index.subjects.subjects import Subject
from idia_index.support.documents import to_json
from idia_index.support.files import sha256_file

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from toy_backend import DIM, ToyBackend

TYPES = ("flat", "numpy", "float16", "bfloat16-exact")
TOY = ToyBackend(model="toy")

Use = Callable[[Path], Any]


@dataclass(frozen=True)
class Target:
    """A directory to attack.

    Attributes:
        name: what it is.
        uses: what is done to it, by name, in order.
        expected: what each use says of the unchanged directory; None for what changes it.
        sign: makes the manifest's sizes and checksums fit the files.
    """

    name: str
    uses: Sequence[tuple[str, Use]]
    expected: Mapping[str, Any]
    sign: Callable[[Path], None]


def _queries() -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((5, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _answers(folder: Path) -> Any:
    """Everything that an index says with checking on."""
    index = open_index(folder, verify=True)
    try:
        names = list(index.names)
        found = index.find([*names[:4], "Nobody There"])
        return names, found, [part.tolist() for part in index.search(_queries(), 2)]
    finally:
        index.close()


def _unchecked(folder: Path) -> None:
    """The same with the shards not compared: any answer will do."""
    index = open_index(folder)
    try:
        index.search(_queries(), 2)
        index.text_embeddings(0, [0])
        json.dumps(to_json(summarize(folder, index.manifest)))
    finally:
        index.close()


def _audited(folder: Path) -> Any:
    """Images through the remembered embeddings, to a decision."""
    index = open_index(folder, verify=True)
    try:
        images = sorted((folder.parent / "images").glob("*.png"))
        result = gather(
            index, TOY, [Subject("First1 Last1", tuple(images))], Measurement(), baselines=False
        ).audit
        (subject,) = result.subjects
        return subject.winners.tolist(), subject.counts.tolist()
    finally:
        index.close()


def _changed(folder: Path) -> None:
    """What writers do with it."""
    verify(folder, TOY)
    add_names(folder, TOY, make_names(["New One", "New Two"]))
    remove_names(folder, make_names(["New One"]))
    compact(folder)
    repair(folder, TOY)


def index_target(index_type: str, folder: Path) -> Target:
    """An index of a kind: several shards and parts, removed names, lookups, notes, a cache."""
    idia_index.pipelines.build.SHARD_BYTES = DIM * 4 * 3 * 16
    names = make_names([f"First{i % 7} Last{i}" for i in range(40)])
    build_index(folder, TOY, names[:30], JAIR2024[:3], index_type=index_type)
    add_names(folder, TOY, make_names(names[30:]))
    remove_names(folder, make_names(names[3:5]))
    add_templates(folder, TOY, JAIR2024[3:4])
    images = folder.parent / "images"
    images.mkdir()
    random = np.random.default_rng(1)
    for number in range(3):
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    uses = (
        ("answers", _answers),
        ("audit", _audited),
        ("unchecked", _unchecked),
        ("changes", _changed),
    )
    expected = {name: use(folder) for name, use in uses[:3]}
    assert _audited(folder) == expected["audit"]
    # What a writer leaves that was killed.
    note = json.loads((folder / "manifest.json").read_text())["shards"][0]
    (folder / "000050.shard.json").write_text(json.dumps(note))
    (folder / "000051.part.json").write_text(json.dumps(note["parts"][0]))
    (folder / "pending.json").write_text('{"operation": "compact"}')
    shutil.copy(folder / "manifest.json", folder / "old-0.json")
    return Target(index_type, uses, {**expected, "changes": None}, _sign_index)


def _sign_index(folder: Path) -> None:
    path = folder / "manifest.json"
    if path.stat().st_size > MAX_BYTES:
        return
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            return
    except (ValueError, RecursionError):
        return
    _fit(data, folder)
    data.pop("sha256", None)
    try:
        path.write_text(seal(data), encoding="utf-8")
    except (ValueError, UnicodeEncodeError):
        return


def _fit(data: Any, folder: Path) -> None:
    """Sizes and checksums of all files that the data names."""
    if isinstance(data, dict):
        name = data.get("file")
        if isinstance(name, str) and "sha256" in data and "/" not in name and "\0" not in name:
            file = folder / name
            if len(name) < 100 and file.is_file() and file.stat().st_size < 1 << 30:
                data["sha256"] = sha256_file(file)
                if isinstance(data.get("bytes"), int):
                    data["bytes"] = file.stat().st_size
    for value in (
        data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    ):
        if isinstance(value, dict | list):
            _fit(value, folder)


def onnx_target(name: str, folder: Path) -> Target:
    """An export, loaded and used for texts and images."""
    from onnx_models import resign, tiny_export

    from idia_index.backends.onnx import OnnxBackend

    shutil.copytree(tiny_export(folder.parent), folder)
    images = [Image.new("RGB", (20, 30), (90, 10, 200)), Image.new("L", (9, 9), 70)]

    def use(place: Path) -> Any:
        backend = OnnxBackend(model=str(place), device="cpu")
        texts = Backend(backend).encode_texts(["Jane Doe", "a photo of someone else"])
        return texts.tolist(), Backend(backend).encode_images(images).tolist()

    def sign(place: Path) -> None:
        try:
            resign(place)
        except (IdiaIndexError, ValueError, OSError):
            return

    return Target(name, (("use", use),), {"use": use(folder)}, sign)

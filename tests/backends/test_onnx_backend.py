"""The onnx backend: any packs, any batch, devices, threads and dtypes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("open_clip")

from onnx_models import DIM, published_texts, tiny_backend, tiny_export

from idia_index.backends import onnx_runtime
from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_probe import probe_images
from idia_index.backends.onnx_runtime import usable_cores
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError

WORDS = [
    "a",
    "photo",
    "of",
    "Jane",
    "Doe",
    "Łukasz",
    "O'Brien,",
    "王小明",
    "😀",
    "Featherstonehaugh",
]
PROMPTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), max_size=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_export(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def export(folder: Path) -> OnnxBackend:
    return OnnxBackend(model=str(folder), device="cpu")


def load(folder: Path, **options: Any) -> OnnxBackend:
    return OnnxBackend(model=str(folder), **{"device": "cpu", **options})


loaded = cache(load)  # for examples by the dozen


@pytest.mark.slow
@settings(max_examples=30)
@given(texts=PROMPTS, nodes=st.integers(1, 200), batch=st.integers(1, 5), threads=st.integers(1, 3))
def test_any_texts_in_any_packs(
    texts: list[str],
    nodes: int,
    batch: int,
    threads: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = tmp_path_factory.getbasetemp()
    export = loaded(tiny_export(base), threads=threads)
    export.text_tower.pack_nodes, export.text_tower.pack_batch = nodes, batch
    rows = Backend(export).encode_texts(texts)
    assert rows.shape == (len(texts), DIM) and rows.dtype == np.float32
    if texts:
        np.testing.assert_allclose(rows, published_texts(tiny_backend(base), texts), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_images_in_any_batch(threads: int, folder: Path) -> None:
    export = load(folder, threads=threads)
    images = probe_images() * 8
    rows = Backend(export).encode_images(images)
    assert rows.shape == (len(images), DIM) and rows.dtype == np.float32
    np.testing.assert_allclose(rows[:5], rows[-5:], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for count in (1, 2, 9, 31):
        np.testing.assert_allclose(
            Backend(export).encode_images(images[:count]), rows[:count], atol=1e-6
        )
    assert export.embed_images([]).shape == (0, DIM)


@pytest.mark.parametrize("kind", ["open_clip", "onnx"])
def test_phone_photos_stand_upright(
    kind: str, export: OnnxBackend, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    backend = export if kind == "onnx" else tiny_backend(tmp_path_factory.getbasetemp())
    upright = probe_images()[1].convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "phone.png", exif=exif)
    rows = Backend(backend).encode_images([tmp_path / "phone.png", upright, turned])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    assert np.abs(rows[0] - rows[2]).max() > 1e-3


@pytest.mark.parametrize("count", [0, 5, 1000])
def test_images_that_are_expected(count: int, folder: Path, export: OnnxBackend) -> None:
    told = load(folder)
    told.expect_images(count)
    told.expect_images(3)
    rows = Backend(told).encode_images(probe_images())
    np.testing.assert_allclose(rows, Backend(export).encode_images(probe_images()), atol=1e-6)


def test_a_text_past_the_context_is_refused(export: OnnxBackend) -> None:
    with pytest.raises(InputError, match="has 102 tokens, the model reads 77"):
        Backend(export).encode_texts(["x " * 100])


def test_an_image_that_cannot_be_resized_is_refused(export: OnnxBackend) -> None:
    with pytest.raises(InputError, match="too elongated"):
        Backend(export).encode_images([Image.new("RGB", (1, 4_000_000))])


def test_device_and_threads(folder: Path) -> None:
    assert load(folder, threads=1).device == "cpu, CPUExecutionProvider (1 thread)"
    assert load(folder, threads=3).device == "cpu, CPUExecutionProvider (3 threads)"
    assert "CPUExecutionProvider" in OnnxBackend.self_test() or "CUDA" in OnnxBackend.self_test()
    for threads in (0, -1, 100_000):
        with pytest.raises(InputError, match=f"threads is {threads}; set 1 to"):
            load(folder, threads=threads)


def test_threads_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDIA_INDEX_THREADS", "3")
    assert load(folder).device == "cpu, CPUExecutionProvider (3 threads)"
    assert load(folder, threads=1).device == "cpu, CPUExecutionProvider (1 thread)"
    for text in ("0", "-1", "two", "1025", "9" * 5000, "²"):
        monkeypatch.setenv("IDIA_INDEX_THREADS", text)
        with pytest.raises(InputError, match=r"IDIA_INDEX_THREADS is .*; set 1 to 1024, or omit"):
            load(folder)
    monkeypatch.setenv("IDIA_INDEX_THREADS", "")
    assert load(folder).device == load(folder, threads=usable_cores()).device


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cuda:x", "cpu:0", "", "CUDA:²"])
def test_unknown_devices(folder: Path, device: str) -> None:
    with pytest.raises(InputError, match="is unknown; available: cpu, cuda"):
        load(folder, device=device)


def test_cuda_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    providers = [onnx_runtime.CPU]
    monkeypatch.setattr(onnx_runtime.ort, "get_available_providers", lambda: providers)
    with pytest.raises(InputError, match="'cuda' does not work: this onnxruntime has no CUDA"):
        load(folder, device="cuda")
    assert load(folder, device=None).device.startswith("cpu")


def test_cuda_that_is_listed_and_does_not_load(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = [onnx_runtime.CUDA, onnx_runtime.CPU]
    monkeypatch.setattr(onnx_runtime.ort, "get_available_providers", lambda: providers)
    if onnx_runtime.why_not(onnx_runtime.cuda_device(0, 1)) is None:
        pytest.skip("CUDA works here")
    with pytest.raises(InputError, match="device 'cuda:0' does not work"):
        load(folder, device="cuda:0")
    assert load(folder, device=None).device.startswith("cpu")


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("float16", "stores float32, computes float32, not float16; export .* --dtype float16"),
        ("bfloat16", "not bfloat16; omit --dtype"),
        ("int8", "dtype 'int8' is unknown; available: float32"),
    ],
)
def test_dtypes_that_an_export_cannot(folder: Path, dtype: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(folder, dtype=dtype)


def test_a_run_that_fails(export: OnnxBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, *args: object) -> None:
            raise RuntimeError("no memory left\ndetails")

    fresh = load(export.folder)
    monkeypatch.setattr(fresh.image_graph, "_session", Broken())
    with pytest.raises(IdiaIndexError, match=r"image.onnx: ONNX Runtime failed .*memory left\);"):
        Backend(fresh).encode_images(probe_images()[:1])

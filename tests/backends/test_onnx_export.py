"""Export: every kind of tower gives open_clip's embeddings, or a clear refusal."""

# ruff: noqa: E402 (what is optional is looked for before it is imported)
from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
open_clip_model = pytest.importorskip("open_clip.model")

import onnx
import torch
from onnx_models import (
    published_images,
    published_texts,
    tiny_backend,
    tiny_config,
    tiny_export,
    traced_once,
    write_model,
)

from idia_index.backends import onnx_export
from idia_index.backends.clip_bpe import ClipTokenizer
from idia_index.backends.onnx import OnnxBackend, OnnxPackTower
from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_probe import TEXTS, TOLERANCES, probe_images
from idia_index.backends.onnx_unfinished import unfinished
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.cli import export as cli_export
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError

RESNET = {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64, "head_width": 16}
PICKY = {"interpolation": "bilinear", "resize_mode": "longest", "fill_color": 90, "std": [0.3] * 3}
# Tracing takes seconds: a tower differs from the plain one in all that does not interfere.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # The plain one and quick_gelu: below, and in test_onnx_oracle.py.
    "resnet, short context, layer scale": (
        tiny_config(vision=RESNET, text={"context_length": 24, "ls_init_value": 0.3}),
        {"resize_mode": "squash"},
    ),
    "layer scale, oblong, averaged": (
        tiny_config(vision={"image_size": [32, 48], "ls_init_value": 0.3, "pool_type": "avg"}),
        PICKY,
    ),
    "attentional pooling": (
        tiny_config(vision={"attentional_pool": True, "attn_pooler_heads": 2}),
        {},
    ),
}


@pytest.fixture
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with traced_once(tmp_path_factory.getbasetemp()):
        yield


def differences(folder: Path, backend: OpenClipBackend, dtype: str) -> tuple[float, float]:
    export = OnnxBackend(model=str(folder), device="cpu", dtype=dtype)
    most = export.text_tower.context_length - 2
    texts = [text for text in TEXTS if len(backend.tokenizer.encode(text)) <= most]
    assert len(texts) > 5
    text = np.abs(Backend(export).encode_texts(texts) - published_texts(backend, texts)).max()
    images = probe_images()
    image = np.abs(Backend(export).encode_images(images) - published_images(backend, images)).max()
    return float(text), float(image)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_exports_are_faithful(kind: str, tmp_path: Path, traced: None) -> None:
    config, preprocessing = KINDS[kind]
    spec = write_model(tmp_path / "model", config, preprocessing)
    backend = OpenClipBackend(model=spec, device="cpu")
    before = published_images(backend, probe_images())
    report = export_model(backend, tmp_path / "export")
    assert max(differences(report.folder, backend, "float32")) < 1e-5
    assert report.probe.text_difference < 1e-5 and report.probe.images == 5
    # The model itself is as it was.
    np.testing.assert_array_equal(published_images(backend, probe_images()), before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "model"]


@pytest.fixture
def loud(tmp_path: Path, traced: None) -> OpenClipBackend:
    """Scores from -70 to 150, and a weight beyond float16 at a token that no text here has."""
    backend = OpenClipBackend(model=write_model(tmp_path / "model", tiny_config()), device="cpu")
    with torch.no_grad():
        for block in backend.clip.transformer.resblocks:
            block.attn.in_proj_weight[:64] *= 24
        backend.clip.token_embedding.weight[40_000, 0] = 1e6
    return backend


def test_what_a_node_does_not_see_has_no_say_however_high_its_score(
    loud: OpenClipBackend, tmp_path: Path
) -> None:
    folder = export_model(loud, tmp_path / "export").folder
    export = OnnxBackend(model=str(folder), device="cpu")
    texts = [
        f"a photo of {name} {end}" for name in ("Jane", "王小明", "Łukasz") for end in "abcd.,!?"
    ]
    expected = published_texts(loud, texts)
    np.testing.assert_allclose(Backend(export).encode_texts(texts), expected, atol=3e-5)


def test_weights_beyond_float16_are_refused(loud: OpenClipBackend, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"text.onnx: the weight .* beyond the range of float16"):
        export_model(loud, tmp_path / "out", "float16")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_float16_stores_half_and_computes_float32(tmp_path_factory: Any) -> None:
    base = tmp_path_factory.getbasetemp()
    backend, folder = tiny_backend(base), tiny_export(base, "float16")
    assert max(differences(tiny_export(base), backend, "float32")) < 1e-5
    text, image = differences(folder, backend, "float16")
    assert 1e-6 < text < TOLERANCES["float16"] and 1e-6 < image < TOLERANCES["float16"]
    sizes = [(tiny_export(base, d) / "text.onnx.data").stat().st_size for d in TOLERANCES]
    assert sizes[1] < 0.51 * sizes[0]
    export = OnnxBackend(model=str(folder), device="cpu")
    assert export.fingerprint.precision == "float32 (float16 weights)"
    assert backend.fingerprint.differences(export.fingerprint) == []


def test_a_graph_says_nothing_of_where_it_was_made(tmp_path_factory: Any) -> None:
    folder = tiny_export(tmp_path_factory.getbasetemp())
    for name in ("image.onnx", "text.onnx"):
        content = (folder / name).read_bytes()
        assert str(Path(torch.__file__).parent).encode() not in content
        assert b"stack_trace" not in content and b".py" not in content
        model = onnx.load(folder / name, load_external_data=False)
        assert not model.metadata_props and not model.functions
        assert {entry.domain for entry in model.opset_import} <= {"", "com.microsoft"}
        # Any size goes wherever the manifest's sizes do not fix it.
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_an_export_holds_what_its_manifest_says(tmp_path_factory: Any) -> None:
    base = tmp_path_factory.getbasetemp()
    folder = tiny_export(base)
    export = OnnxBackend(model=str(folder), device="cpu")
    files = {entry.file for entry in export.manifest.files}
    assert files | {"manifest.json"} == {path.name for path in folder.iterdir()}
    assert export.manifest.fingerprint == tiny_backend(base).fingerprint
    assert {"torch", "onnx", "onnxscript", "open_clip_torch"} <= set(export.manifest.versions)
    assert (folder.stat().st_mode & 0o777) == 0o755


def test_an_existing_directory_is_refused(tmp_path_factory: Any, tmp_path: Path) -> None:
    backend = tiny_backend(tmp_path_factory.getbasetemp())
    (tmp_path / "there").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("there", "dangling"):
        with pytest.raises(InputError, match=f"{name} exists; name a new directory"):
            export_model(backend, tmp_path / name)
    with pytest.raises(InputError, match=r"check that .*missing exists"):
        export_model(backend, tmp_path / "missing" / "out")


def test_only_known_dtypes(tmp_path_factory: Any, tmp_path: Path) -> None:
    backend = tiny_backend(tmp_path_factory.getbasetemp())
    with pytest.raises(InputError, match="dtype 'bfloat16' cannot be exported"):
        export_model(backend, tmp_path / "out", "bfloat16")


def test_a_model_loaded_in_half_precision_is_refused(tmp_path: Path) -> None:
    spec = write_model(tmp_path / "model", tiny_config())
    backend = OpenClipBackend(model=spec, device="cpu", dtype="bfloat16")
    with pytest.raises(InputError, match="load it with device cpu in float32"):
        export_model(backend, tmp_path / "out")


def test_a_text_tower_that_is_not_causal_is_refused(tmp_path: Path) -> None:
    config = tiny_config(text={"no_causal_mask": True})
    backend = OpenClipBackend(model=write_model(tmp_path / "model", config), device="cpu")
    with pytest.raises(InputError, match=r"cannot be exported: .*not causal") as caught:
        export_model(backend, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.fixture
def quick_graphs(tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> OpenClipBackend:
    """The tiny model; an export of it copies graphs that were made before."""
    base = tmp_path_factory.getbasetemp()
    folder = tiny_export(base)

    def copy(name: str, out: Path) -> None:
        for suffix in ("", ".data"):
            (out / (name + suffix)).write_bytes((folder / (name + suffix)).read_bytes())

    monkeypatch.setattr(
        onnx_export, "write_image_graph", lambda m, s, out, d: copy("image.onnx", out)
    )
    monkeypatch.setattr(onnx_export, "write_text_graph", lambda m, out, d: copy("text.onnx", out))
    return tiny_backend(base)


@pytest.mark.parametrize("what", ["text", "image"])
def test_an_unfaithful_export_leaves_nothing(
    what: str, quick_graphs: OpenClipBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "image":
        images = OnnxBackend.embed_images
        monkeypatch.setattr(OnnxBackend, "embed_images", lambda *given: images(*given) + 1e-3)
    else:
        texts = OnnxPackTower.embed_pack
        monkeypatch.setattr(OnnxPackTower, "embed_pack", lambda *given: texts(*given) + 1e-3)
    with pytest.raises(
        IdiaIndexError, match=f"not faithful: its {what} embeddings differ"
    ) as caught:
        export_model(quick_graphs, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_tokens_that_differ_fail_the_probe(
    quick_graphs: OpenClipBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ClipTokenizer.load

    def load(path: Path, clean: str = "lower") -> ClipTokenizer:
        """The export's tokenizer, with other tokens than the model's."""
        made = plain(path, clean)
        made.encode = lambda texts: [[7]] * len(texts)  # type: ignore[method-assign]
        return made

    monkeypatch.setattr("idia_index.backends.clip_bpe.ClipTokenizer.load", load)
    with pytest.raises(IdiaIndexError, match="not faithful: its tokens of 'a' are not"):
        export_model(quick_graphs, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_another_tokenizer_is_refused(
    quick_graphs: OpenClipBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_graphs.tokenizer, "clean_fn", str.upper)
    with pytest.raises(InputError, match="its tokenizer is not CLIP's own"):
        export_model(quick_graphs, tmp_path / "out")


def test_an_exporter_that_fails_gives_one_line(
    quick_graphs: OpenClipBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        try:
            raise NotImplementedError("unsupported: aten.frobnicate\nand a hundred lines more")
        except NotImplementedError as error:
            raise RuntimeError("the export failed; see above") from error

    monkeypatch.setattr(onnx_export, "write_text_graph", fail)
    expected = r"exporter fails on its text tower \(unsupported: aten.frobnicate\); use it with"
    with pytest.raises(InputError, match=expected) as caught:
        export_model(quick_graphs, tmp_path / "out")
    assert not re.search(r"\n", str(caught.value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, click.Abort)]
)
def test_an_export_that_is_stopped_leaves_nothing(
    sent: signal.Signals,
    raised: type[BaseException],
    tmp_path_factory: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(model: object, folder: Path, dtype: str) -> None:
        (folder / "text.onnx").write_bytes(b"half")
        os.kill(os.getpid(), sent)

    backend = Backend(tiny_backend(tmp_path_factory.getbasetemp()))
    monkeypatch.setattr(onnx_export, "write_image_graph", lambda *_: None)
    monkeypatch.setattr(onnx_export, "write_text_graph", stopped)
    monkeypatch.setattr(cli_export, "load_backend", lambda *_, **__: backend)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(raised):
        cli_export.command.main(
            ["--model", "tiny/tag", str(tmp_path / "out")], standalone_mode=False
        )
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_next_export_removes_what_a_killed_one_left(
    quick_graphs: OpenClipBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = multiprocessing.get_context("fork")  # it has imported PyTorch
    begun = fork.Event()

    def wait(*_: object) -> None:
        begun.set()
        time.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(onnx_export, "write_text_graph", wait)
        process = fork.Process(target=export_model, args=(quick_graphs, tmp_path / "killed"))
        process.start()
    assert begun.wait(60)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".") and (left / "image.onnx").exists()
    export_model(quick_graphs, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_folders_of_dead_exports_are_removed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "text.onnx").touch()
    (tmp_path / ".idia-index-export-00000000").symlink_to(tmp_path / "elsewhere")
    for number, content in enumerate(("text.onnx", "thesis.txt"), 1):
        (tmp_path / f".idia-index-export-0000000{number}").mkdir()
        (tmp_path / f".idia-index-export-0000000{number}" / content).touch()
    (tmp_path / ".idia-index-export-notes").mkdir()
    (tmp_path / ".idia-index-export-00000004").touch()
    before = {path.name for path in tmp_path.iterdir()}
    with unfinished(tmp_path / "one") as one:
        (one / "image.onnx").touch()
        with unfinished(tmp_path / "two") as two:
            assert (one / "image.onnx").exists() and two != one
    assert {path.name for path in tmp_path.iterdir()} == before - {".idia-index-export-00000001"}
    assert (tmp_path / "elsewhere" / "text.onnx").exists()

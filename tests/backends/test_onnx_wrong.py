"""Invalid exports: one clear error each, and no file outside the directory is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("open_clip")

import onnx
from onnx_models import DIM, resign, tiny_export

from idia_index import build_index
from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_external import check_external_data
from idia_index.backends.onnx_probe import probe_images
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.prompts.names import make_names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_export(tmp_path_factory.getbasetemp())


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(folder: Path) -> OnnxBackend:
    return OnnxBackend(model=str(folder), device="cpu")


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """An edit of the manifest's JSON."""

    def apply(folder: Path) -> None:
        data = json.loads((folder / "manifest.json").read_text())
        change(data)
        (folder / "manifest.json").write_text(json.dumps(data))

    return apply


def set_file(name: str, **values: Any) -> Callable[[Path], object]:
    def change(data: dict[str, Any]) -> None:
        next(entry for entry in data["files"] if entry["file"] == name).update(values)

    return edit(change)


def flip_byte(name: str) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return apply


def link(folder: Path) -> None:
    (folder / "text.onnx.data").rename(folder.parent / "elsewhere")
    (folder / "text.onnx.data").symlink_to(folder.parent / "elsewhere")


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (
        lambda f: (f / "manifest.json").unlink(),
        "not an export, it has no manifest",
    ),
    "no JSON": (write("manifest.json", b"{"), "damaged manifest"),
    "no object": (write("manifest.json", b"[1]"), r"damaged manifest \(not an object\)"),
    "no text": (write("manifest.json", b"\xff"), "damaged manifest"),
    "huge": (write("manifest.json", b" " * (1 << 21)), "too large for the manifest"),
    "deep": (write("manifest.json", b"[" * 100_000), "damaged manifest"),
    "another format": (edit(lambda d: d.update(format="x/9")), "format 'x/9', this version reads"),
    "no fingerprint": (edit(lambda d: d.pop("fingerprint")), "damaged manifest .*fingerprint"),
    "no graph listed": (edit(lambda d: d["files"].pop(0)), "damaged manifest .*files"),
    "a file twice": (edit(lambda d: d["files"].append(d["files"][0])), "damaged manifest .*files"),
    "a path": (set_file("merges.txt", file="../merges.txt"), "damaged manifest"),
    "an absolute path": (
        edit(lambda d: d["files"].append({"file": "/etc/passwd", "bytes": 1, "sha256": "0"})),
        "damaged manifest .*'/etc/passwd'",
    ),
    "an absurd size": (set_file("merges.txt", bytes=1 << 60), "damaged manifest .*merges.txt"),
    "an infinite size": (set_file("merges.txt", bytes=float("inf")), "damaged manifest"),
    "an absurd pack": (edit(lambda d: d.update(pack_nodes=10**9)), "damaged manifest .*pack nodes"),
    "an absurd image": (
        edit(lambda d: d["preprocessing"].update(height=10**6)),
        "damaged manifest .*1000000",
    ),
    "missing": (lambda f: (f / "image.onnx.data").unlink(), "image.onnx.data: is missing"),
    "a folder": (
        lambda f: ((f / "merges.txt").unlink(), (f / "merges.txt").mkdir()),
        "merges.txt: is missing",
    ),
    "cut short": (
        lambda f: os.truncate(f / "text.onnx.data", 1000),
        "text.onnx.data: has 1000 bytes, the manifest says",
    ),
    "altered graph": (flip_byte("text.onnx"), r"text.onnx: was altered .*\(SHA-256\)"),
    "altered weights": (flip_byte("image.onnx.data"), r"image.onnx.data: was altered"),
    "altered merges": (flip_byte("merges.txt"), r"merges.txt: was altered"),
    "a link": (link, "text.onnx.data: links are not followed"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_directories(what: str, copied: Path) -> None:
    spoil, message = WRONG[what]
    load(copied)
    spoil(copied)
    with pytest.raises(InputError, match=message) as caught:
        load(copied)
    assert str(copied) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["nowhere", "ViT-B-32/laion400m_e32", "manifest.json"])
def test_no_directory(model: str, folder: Path, tmp_path: Path) -> None:
    place = folder / model if model.endswith(".json") else tmp_path / model
    with pytest.raises(InputError, match=r"is not an export, .* make one: idia-index export"):
        load(place)


# --- graphs that are wrong, under a manifest that fits them ---


def use_both(backend: OnnxBackend) -> None:
    Backend(backend).encode_images(probe_images()[:1])
    Backend(backend).encode_texts(["Jane Doe"])


def test_the_wrong_graph(copied: Path) -> None:
    onnx.save(onnx.load(copied / "text.onnx"), copied / "image.onnx")  # weights and all
    (copied / "image.onnx.data").unlink()
    resign(copied)
    with pytest.raises(InputError, match=r"image.onnx: inputs are ids .*expected pixels") as caught:
        use_both(load(copied))
    assert "export the model again" in str(caught.value)


def test_another_embedding_length(copied: Path) -> None:
    edit(lambda data: data["fingerprint"].update(dim=DIM + 1))(copied)
    with pytest.raises(InputError, match=rf"outputs are .*{DIM}\], expected .*{DIM + 1}\]"):
        use_both(load(copied))


def test_a_graph_that_is_none(copied: Path) -> None:
    (copied / "image.onnx").write_bytes(b"\x0a\x05hello")
    resign(copied)
    with pytest.raises(InputError, match=r"image.onnx: ONNX Runtime .* cannot load it"):
        use_both(load(copied))


def test_a_build_with_a_bad_export_leaves_nothing(copied: Path, tmp_path: Path) -> None:
    (copied / "text.onnx").write_bytes(b"\x0a\x05hello")
    resign(copied)
    with pytest.raises(InputError, match=r"text.onnx: ONNX Runtime .* cannot load it"):
        build_index(tmp_path / "a" / "index", load(copied), make_names(["Jane Doe"]))
    assert list(tmp_path.iterdir()) == [copied]


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../x", "*/_ORT_MEM_ADDR_/*", "merges.txt", "image.onnx.data"]
)
def test_weights_from_elsewhere(location: str, copied: Path) -> None:
    model = onnx.load(copied / "text.onnx", load_external_data=False)
    stored = next(tensor for tensor in model.graph.initializer if tensor.external_data)
    next(entry for entry in stored.external_data if entry.key == "location").value = location
    (copied / "text.onnx").write_bytes(model.SerializeToString())
    resign(copied)
    with pytest.raises(InputError, match=r"text.onnx: reads weights .* not a file of the export"):
        use_both(load(copied))


def test_weights_from_elsewhere_in_an_attribute(copied: Path) -> None:
    model = onnx.load(copied / "image.onnx", load_external_data=False)
    hidden = onnx.TensorProto(
        data_type=1,
        dims=[1],
        data_location=onnx.TensorProto.EXTERNAL,
        external_data=[onnx.StringStringEntryProto(key="location", value="/etc/shadow")],
    )
    inner = onnx.GraphProto(node=[onnx.helper.make_node("Constant", [], ["c"], value=hidden)])
    branch = onnx.helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    model.graph.node.append(branch)
    (copied / "image.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="'/etc/shadow'"):
        check_external_data(copied / "image.onnx", {"image.onnx.data"})


@settings(max_examples=200)
@given(data=st.binary(max_size=60), cut=st.integers(0, 9000), where=st.integers(0, 9000))
def test_damaged_graphs_never_crash_the_check(
    data: bytes, cut: int, where: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = (tiny_export(tmp_path_factory.getbasetemp()) / "text.onnx").read_bytes()
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content[:where] + data + content[where + cut :])
    try:
        check_external_data(path, {"text.onnx.data"})
    except InputError as error:
        assert str(path) in str(error)

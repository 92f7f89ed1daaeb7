"""The onnx backend in a process that cannot import torch and related packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("open_clip")

from onnx_models import tiny_backend, tiny_export

from idia_index.backends.onnx_probe import TEXTS, probe_images
from idia_index.encode.backend import Backend

SCRIPT = """
import json, sys

FORBIDDEN = {"torch", "torchvision", "open_clip", "timm", "transformers", "onnx", "onnxscript"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
from idia_index.backends.onnx_probe import TEXTS, probe_images
from idia_index.registry import load_backend

backend = load_backend("onnx", model=sys.argv[1], device="cpu")
images = backend.encode_images(probe_images()).tolist()
assert "graph" not in backend.text_tower.__dict__  # images need no text graph
texts = backend.encode_texts(TEXTS[:8]).tolist()
loaded = sorted(FORBIDDEN & {name.partition(".")[0] for name in sys.modules})
print(json.dumps({"texts": texts, "images": images, "loaded": loaded}))
"""


def test_no_torch_is_imported(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    base = tmp_path_factory.getbasetemp()
    command = [sys.executable, "-c", SCRIPT, str(tiny_export(base))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["loaded"] == []
    source = tiny_backend(base)
    np.testing.assert_allclose(found["texts"], Backend(source).encode_texts(TEXTS[:8]), atol=1e-5)
    np.testing.assert_allclose(
        found["images"], Backend(source).encode_images(probe_images()), atol=1e-5
    )


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["onnxruntime"] = None
from idia_index.errors import MissingExtraError
from idia_index.registry import backend_class
try:
    backend_class("onnx")
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert (
        "needs the package 'onnxruntime'" in done.stdout and "pip install 'faiss-cpu" in done.stdout
    )

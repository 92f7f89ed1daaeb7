"""A model that was used goes on in a forked process: same embeddings, no waiting for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
import onnx_models as models

pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.process]

# Threads of the parent's do not exist in the child, where some are waited for unless made anew.
SCRIPT = """
import os, sys
import numpy as np
from PIL import Image
from idia_index import load_backend

backend = load_backend(sys.argv[1], model=sys.argv[2])
pixels = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
photos = [Image.fromarray(each) for each in pixels]
texts = [f"a photo of First{i} Last{i % 9}" for i in range(300)]
embed = lambda: (backend.encode_images(photos), backend.encode_texts(texts))
before = embed()

def child():
    same = all(np.abs(a - b).max() < 1e-5 for a, b in zip(embed(), before))
    os._exit(0 if same else 4)

child_id = os.fork()
if not child_id:
    child()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child_id, 0)[1]))
"""


@pytest.mark.parametrize("backend", ["open_clip", "onnx"])
def test_a_forked_process_goes_on(backend: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    base: Path = tmp_path_factory.getbasetemp()
    models.tiny_backend(base)
    model = f"local-dir:{base / 'tiny-model'}"
    if backend == "onnx":
        model = str(models.tiny_export(base))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, backend, model], start_new_session=True
    )
    try:
        assert process.wait(timeout=150) == 0
    finally:
        if process.poll() is None:  # the child would outlive it
            os.killpg(process.pid, signal.SIGKILL)

"""A loaded model still works in a forked process: same embeddings, no deadlock."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
import onnx_models as models

from idia_index import load_backend
from idia_index.types import Float32

pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.process]


# Threads of the parent's do not exist in the child, where some are waited for unless made anew.
@pytest.mark.parametrize("name", ["open_clip", "onnx"])
def test_a_forked_process_goes_on(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    model = str(models.tiny_export(base)) if name == "onnx" else models.tiny_backend(base).model
    backend = load_backend(name, model=model)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
    photos = [Image.fromarray(each) for each in pixels]
    texts = [f"a photo of First{i} Last{i % 9}" for i in range(300)]

    def embed() -> tuple[Float32, Float32]:
        return backend.encode_images(photos), backend.encode_texts(texts)

    before = embed()
    child = os.fork()
    if not child:  # which must not come back to what runs the tests
        code = 1
        try:
            same = all(np.abs(a - b).max() < 1e-5 for a, b in zip(embed(), before, strict=True))
            code = 0 if same else 4
        finally:
            os._exit(code)
    patience = time.monotonic() + 60
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < patience:
        time.sleep(0.02)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended and os.waitstatus_to_exitcode(status) == 0

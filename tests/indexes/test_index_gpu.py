"""Index types that serve flat's files from a GPU; without a GPU, all but the device is tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from table_backend import TableBackend, unit

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError, InputError
from idia_index.prompts.names import make_names
from idia_index.registry import load_index_type

pytest.importorskip("faiss")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 2 * 32 * 4 * 100)
    backend = TableBackend(unit(np.random.default_rng(0), 2, 250, 32))
    build_index(tmp_path / "i", backend, make_names(backend.names), backend.templates)
    return tmp_path / "i"


def same_as_flat(folder: Path, index_type: str) -> None:
    queries = unit(np.random.default_rng(1), 40, 32)
    for k in (1, 7):
        expected = open_index(folder).search(queries, k)
        found = open_index(folder, serve=index_type).search(queries, k)
        assert (found[0] == expected[0]).all() and (found[1] == expected[1]).all()


def test_torch_serves_a_flat_index(folder: Path) -> None:
    pytest.importorskip("torch")
    same_as_flat(folder, "torch")


def test_faiss_on_the_gpu_serves_a_flat_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine without a GPU, FAISS's search on the CPU stands in for the device's."""
    import faiss

    from idia_index.indexes import faiss_gpu

    try:
        faiss_gpu.gpu_resources()
    except IdiaIndexError:
        monkeypatch.setattr(faiss, "knn_gpu", lambda _, *a, **k: faiss.knn(*a, **k), raising=False)
        monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
        faiss_gpu.gpu_resources.cache_clear()
    same_as_flat(folder, "faiss-gpu")
    faiss_gpu.gpu_resources.cache_clear()


def test_a_faiss_without_gpu_says_what_to_do() -> None:
    import faiss

    if hasattr(faiss, "knn_gpu"):
        pytest.skip("this FAISS has GPU support")
    with pytest.raises(IdiaIndexError, match=r"with GPU support.*'torch' or 'flat'"):
        load_index_type("faiss-gpu").self_test()


def test_kinds_serve_only_files_that_they_read(folder: Path) -> None:
    with pytest.raises(InputError, match="does not read the files of 'flat'"):
        open_index(folder, serve="bfloat16-exact")

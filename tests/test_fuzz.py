"""A short seeded run of every fuzzer; `make fuzz` runs each on 100,000 inputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("faiss")
pytest.importorskip("onnxruntime")

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "fuzz"))
from fuzz import attack
from parsers import PARSERS, Parser

INPUTS = 120


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_only_our_errors_come_out(parser: Parser, tmp_path: Path) -> None:
    if parser.name.startswith("checkpoints"):
        pytest.importorskip("torch")
    assert attack(parser, INPUTS, 1, tmp_path) == {}

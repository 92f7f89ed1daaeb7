"""benchmarks/gpu at small sizes on the CPU, so that it is ready for a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import in_a_fork

FOLDER = Path(__file__).parents[1] / "benchmarks" / "gpu"


def _all_parts(out: Path) -> None:
    """All parts in one process, which has imported PyTorch: `run.py` gives each its own."""
    import torch

    torch.set_num_threads(1)  # those of the process that was forked are not there
    sys.path.insert(0, str(FOLDER))
    import part
    from common import Scale

    parts: dict[str, dict[str, Any]] = {}
    for name in part.PARTS:
        part.run(name, Scale(small=True), parts.setdefault(name, {}).update)
    out.write_text(json.dumps(parts))


@pytest.mark.slow
@pytest.mark.torch
def test_every_part_runs_on_the_processor(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    in_a_fork(_all_parts, tmp_path / "parts.json")
    parts = json.loads((tmp_path / "parts.json").read_text())
    assert len(parts) == 8
    for name, known in parts.items():
        assert known["part"] == name and known["rows"]
        refuted = [row for row in known["rows"] if row["holds"] is False]
        assert not refuted and "skipped" not in known, (name, refuted)
        for row in known["rows"]:  # what is left out says why
            assert row["value"] != "skipped: " and row["what"]
    claims = [row for known in parts.values() for row in known["rows"] if row["holds"]]
    assert len(claims) > 20


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_part_that_hangs_or_fails_costs_only_itself(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(FOLDER)!r})
import run
from pathlib import Path
broken = Path({str(tmp_path)!r})
hangs = "import sys, time; time.sleep(99) if sys.argv[1] == 'onnx' else 1 / 0"
(broken / "part.py").write_text(hangs)
run.HERE = broken
found = [run.run_part(p, True, 1.5, broken, broken) for p in ("onnx", "towers")]
print(run.table(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "| onnx | failed | stopped after 2 s | NO |" in done.stdout, done.stderr
    assert "| towers | failed | ZeroDivisionError: division by zero | NO |" in done.stdout


@pytest.mark.slow
def test_what_is_here_is_found_without_a_gpu(tmp_path: Path) -> None:
    done = run("--only", "found", "--small", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (known,) = json.loads((tmp_path / "gpu.json").read_text())
    found = {row["what"]: row["value"] for row in known["rows"]}
    assert {"driver", "card", "faiss", "ONNX Runtime"} <= set(found)
    assert (tmp_path / "gpu.md").read_text() == done.stdout


def test_an_unknown_part_is_named() -> None:
    done = run("--only", "texts")
    assert done.returncode == 2 and "no part 'texts'; available: found, towers" in done.stderr


def test_wheels_in_pieces_are_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import wheels

    monkeypatch.setattr(wheels, "PIECE", 1000)
    made = tmp_path / "made"
    made.mkdir()
    content = bytes(range(251)) * 50
    (made / "large-1-py3-none-any.whl").write_bytes(content)
    (made / "small-1-py3-none-any.whl").write_bytes(b"small")
    wheels.cut(made)
    pieces = sorted(path.name for path in made.glob("large*"))
    assert len(pieces) == 13 and pieces[-1].endswith(".whl.012")
    assert all(path.stat().st_size <= 1000 for path in made.iterdir())
    joined = {path.name: path.read_bytes() for path in wheels.join(made, tmp_path / "joined")}
    assert joined == {"large-1-py3-none-any.whl": content, "small-1-py3-none-any.whl": b"small"}

"""Files and functions stay short enough to read at once (CONTRIBUTING.md, Rules)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for folder in ("idia_index", "backends", "indexes", "cli")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
FILE_LINES = 400
BODY_LINES = 50  # of a function, beside its signature and its docstring


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            first = node.body[0].end_lineno if documented else node.body[0].lineno - 1
            assert first is not None and node.end_lineno is not None
            assert node.end_lineno - first <= BODY_LINES, node.name

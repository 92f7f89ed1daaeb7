"""Writes the JSON Schema of every document from its dataclass: for the package and for the docs."""

from __future__ import annotations

from pathlib import Path

from idia_index.cli.documents import schemas

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    for folder in (ROOT / "idia_index" / "report" / "schema", ROOT / "docs" / "schema"):
        folder.mkdir(exist_ok=True)
        for name, text in schemas().items():
            (folder / name).write_text(text, encoding="utf-8")

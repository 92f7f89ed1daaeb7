"""A small custom study, for tests of how studies are read and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_study(folder: Path, **changes: Any) -> Path:
    """A study of two people and ten candidates more; `changes` None takes a key out."""
    (folder / "people.csv").write_text(
        "name,membership,training_count\nJane Doe,member,3\nJohn Roe,non_member,0\n"
    )
    data = {"format": "idia-index/study/1", "title": "Own", "people": "people.csv",
            "evaluation": {"sample_sizes": "1,2", "min_images": 2, "draws": 3, "bins": "0,2,4"},
            "candidates": {"total": 12, "top": 4}, **changes}  # fmt: skip
    (folder / "own.json").write_text(json.dumps({k: v for k, v in data.items() if v is not None}))
    return folder / "own.json"

"""One part, in a process of its own: its rows go to a file as they are found."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from common import Row, Scale, SkipPart

# Where each part is; imported when it is run, so that what one needs is no other's worry.
PARTS = {
    "found": "found.found",
    "towers": "towers.towers",
    "decisions": "towers.decisions",
    "indexes": "index_checks.indexes",
    "onnx": "towers.onnx",
    "text-speed": "gpu_encoding.text_speed",
    "search-speed": "gpu_searches.search_speed",
    "photo-speed": "gpu_encoding.photo_speed",
}


def run(part: str, scale: Scale, write: Callable[[dict[str, object]], None]) -> None:
    """Runs a part; `write` gets all that is known, every time that more is."""
    rows: list[dict[str, object]] = []
    module, name = PARTS[part].split(".")
    try:
        found: Iterable[Row] = getattr(importlib.import_module(module), name)(scale)
        for row in found:
            rows.append(row.to_json())
            write({"part": part, "rows": rows})
    except SkipPart as reason:
        write({"part": part, "rows": rows, "skipped": str(reason)})
    except Exception as error:
        # By its name: idia-index itself may be what is missing.
        if not isinstance(error, ImportError) and type(error).__name__ != "MissingExtraError":
            raise
        write({"part": part, "rows": rows, "skipped": f"{error}"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    run(
        options.part,
        Scale(options.small),
        lambda known: options.out.write_text(json.dumps(known)) and None,
    )


if __name__ == "__main__":
    main()

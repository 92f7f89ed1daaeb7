"""The controlled study in float32 and in bfloat16 by PyTorch: what differs, down to decisions.

    python benchmarks/bfloat16_study.py [IMAGES] [--json FILE]

Takes the packaged model, its 1,000 candidate names, the paper's 21 templates, and 30 images of
every subject. Both towers of the second run compute in bfloat16.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from idia_index.backends.open_clip import OpenClipBackend
from idia_index.pipelines.parity import compare
from idia_index.prompts.templates import JAIR2024
from idia_index.study.subjects import MODEL_DIR, candidates, write_subjects
from idia_index.subjects.subjects import read_subjects
from idia_index.support.documents import to_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=30)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = f"local-dir:{MODEL_DIR}"
    exact = OpenClipBackend(model=model, device="cpu")
    rounded = OpenClipBackend(model=model, device="cpu", dtype="bfloat16")
    with TemporaryDirectory() as folder:
        people = read_subjects(write_subjects(Path(folder) / "subjects", arguments.images))
        report = compare(exact, rounded, candidates(), JAIR2024, people)
    text = json.dumps(to_json(report), indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

"""Starts transformers' zero-shot pipeline with the study's model on 127.0.0.1, and holds the
study's decisions from its labels alone against those of the model's embeddings.

python benchmarks/hosted/pipeline.py --work build/hosted [--people 500] [--images 30] [--port 8765]

Answers are kept in WORK and the port is fixed, so that an interrupted run is resumed, and one with
more images asks for what is new.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from run import HERE, serving, write_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--people", default="500")
    parser.add_argument("--images", default="30")
    parser.add_argument("--port", type=int, default=8765)
    given = parser.parse_args()
    model = write_model(given.work)
    command = [sys.executable, HERE / "zero_shot_server.py", model, str(given.port)]
    with serving(command, given.port):
        subprocess.run(
            [sys.executable, HERE / "labels.py", given.work, "--people", given.people, "--images",
             given.images, "--zero-shot", f"http://127.0.0.1:{given.port}/"],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()

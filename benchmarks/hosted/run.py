"""Starts infinity with the study's model on 127.0.0.1, and holds the study through it against here.

python benchmarks/hosted/run.py --server .venv-hosted/bin/infinity_emb --work build/hosted
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
WAIT = 300  # seconds that a server may take to load its model


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


QUIET = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}  # fmt: skip


def infinity(server: Path, model: Path, port: int) -> list[str | Path]:
    """The command that serves a folder of transformers by infinity."""
    return [
        server, "v2", "--model-id", model, "--served-model-name", "study", "--engine", "torch",
        "--device", "cpu", "--dtype", "float32", "--no-bettertransformer", "--no-model-warmup",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip


def write_model(work: Path) -> Path:
    """The study's model as a folder of transformers, written once."""
    model = (work / "clip").absolute()
    if not model.is_dir():
        subprocess.run([sys.executable, HERE / "transformers_folder.py", model], check=True)
    return model


@contextmanager
def serving(command: Sequence[str | Path], port: int) -> Iterator[None]:
    """A server without a network and without reports of use, until it is no longer needed."""
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + WAIT
    while time.monotonic() < ends and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise SystemExit("the server did not start; run it by hand to see why")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=Path, required=True, help="infinity_emb")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", default="30")
    given = parser.parse_args()
    model, port = write_model(given.work), free_port()
    with serving(infinity(given.server, model, port), port):
        spec = f"infinity+http://127.0.0.1:{port}/#study"
        subprocess.run(
            [sys.executable, HERE / "study.py", spec, given.work, "--images", given.images],
            check=True,
        )


if __name__ == "__main__":
    main()

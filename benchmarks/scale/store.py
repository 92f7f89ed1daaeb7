"""An audit and a build whose photos, table and model lie in an S3 store, on workers of Ray.

    pip install s3fs 'moto[server]'
    python benchmarks/scale/store.py [--people 20] [--photos 30]

moto is the store, on this machine; three nodes of Ray with one worker each read it themselves. The
index must have the bytes, and the audit the votes and hashes, that `local` has from this disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec
from kills import NODE
from moto.server import ThreadedMotoServer
from ray.cluster_utils import Cluster

from idia_index.study import ONNX_DIR, candidates, subjects, write_subjects


def command(*arguments: object) -> str:
    """What a command of idia-index prints."""
    line = [sys.executable, "-m", "idia_index", *map(str, arguments)]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def told(document: str) -> list[dict[str, Any]]:
    """What an audit says of each person, without the places of photos."""
    people = json.loads(document)["subjects"]
    for person in people:
        person["image_files"] = [Path(file).name for file in person["image_files"]]
    found: list[dict[str, Any]] = people
    return found


def rows(index: Path) -> dict[str, bytes]:
    """The files of an index that hold no address."""
    kept = (file for file in index.iterdir() if file.suffix in (".faiss", ".keys", ".sums"))
    return {file.name: file.read_bytes() for file in kept}


def main() -> None:
    """Prints what was compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--photos", type=int, default=30)
    options = parser.parse_args()
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}", AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1",
    )  # fmt: skip
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(2):
        cluster.add_node(**NODE)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
            chosen = subjects()[: options.people]
            people = write_subjects(folder / "people", options.photos, chosen=chosen).parent
            (folder / "names.txt").write_text("".join(f"{each}\n" for each in candidates()))
            store = fsspec.filesystem("s3")
            store.mkdir("bucket")
            store.put(str(people), "bucket/people", recursive=True)
            store.put(str(ONNX_DIR), "bucket/onnx", recursive=True)
            found = {}
            for where, model, listed, engine in (
                ("local", ONNX_DIR, people / "subjects.csv", "local"),
                ("ray", "s3://bucket/onnx", "s3://bucket/people/subjects.csv",
                 f"ray:{cluster.address}"),
            ):  # fmt: skip
                began, index = time.perf_counter(), folder / where
                command("build", index, "--model", model, "--names", folder / "names.txt",
                        "--engine", engine)  # fmt: skip
                audited = command("audit", index, listed, "--json", "--engine", engine)
                found[where] = rows(index), told(audited)
                print(f"{where}: {time.perf_counter() - began:.1f} s", flush=True)
        same = found["local"] == found["ray"]
        photos = sum(person["images"] for person in found["ray"][1])
        print(f"{photos} photos of {options.people} people from s3://, equal to local's: {same}")
        sys.exit(not same)
    finally:
        cluster.shutdown()
        server.stop()


if __name__ == "__main__":
    main()

"""One build and one pass over photos: seconds of the clock and of a core.

    python benchmarks/scale/one_run.py SPEC NAMES FOLDER

Prints a JSON document; FOLDER holds one person's photos. It imports what versions of idia-index
without engines have too, so that `overhead.py before` can compare with one of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
from build_names import cross_names

import idia_index.pipelines.build
from idia_index import build_index
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.pipelines.load import load_model
from idia_index.prompts.names import make_names
from idia_index.subjects.records import Subject
from idia_index.subjects.subject_images import encode_subjects

TEMPLATES = 21
PIECES = 10  # shards of a build
Clock = Callable[[], float]
Spent = tuple[float, float]


def spent(work: Callable[[], object], processor: Clock = time.process_time) -> Spent:
    """Seconds of the clock and of a core that some work takes."""
    began = time.perf_counter(), processor()
    work()
    return time.perf_counter() - began[0], processor() - began[1]


def build(backend: Backend, names: list[str]) -> None:
    """Builds an index of ten shards, and removes it."""
    size = TEMPLATES * backend.fingerprint.dim * 4 * -(-len(names) // PIECES)
    idia_index.pipelines.build.SHARD_BYTES = size
    with TemporaryDirectory() as folder:
        build_index(Path(folder) / "i", backend, make_names(names)).close()


def encode(backend: Backend, subjects: list[Subject]) -> None:
    """Encodes photos that nothing remembers."""
    encode_subjects(backend, subjects, ImageCache(None, backend.fingerprint, ""), strict=True)


def both(
    backend: Backend, count: int, folder: Path, processor: Clock = time.process_time
) -> dict[str, Spent]:
    """What a build of `count` names and a folder's photos take."""
    names, people = cross_names()[:count], [Subject("Ann Lee", tuple(sorted(folder.iterdir())))]
    return {
        "build": spent(lambda: build(backend, names), processor),
        "photos": spent(lambda: encode(backend, people), processor),
    }


if __name__ == "__main__":
    print(json.dumps(both(load_model(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))

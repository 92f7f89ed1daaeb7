"""Names that indexes of less than float32 return, against those of float32 rows.

    python benchmarks/index_precision.py [--images 1000] [--names 5000]

First random unit rows, a tenth of them twice, with images near them; then the controlled study:
its model, its 1,000 candidates in 21 templates, portraits rendered for it. Every name must be that
of the float64 products of the float32 rows, ties to the lowest id; printed are how many answers
were certified by the stored rows alone, and how many prompts were encoded again for the others.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from index_data import RowsInMemory, random_fingerprint, unit_rows

from idia_index import build_index
from idia_index.encode.backend import Backend
from idia_index.pipelines.demo import study_backend
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024, Template, make_templates
from idia_index.study import candidates, subjects, write_subjects
from idia_index.subjects.subjects import read_subjects
from idia_index.types import Float32

TYPES = ("float16", "bfloat16-exact", "flat")
PORTRAITS = 10


def compare(
    backend: Backend, names: Sequence[str], templates: Sequence[Template], queries: Float32
) -> None:
    """Builds an index of each kind, and compares all its names with those of the plain oracle."""
    listed = make_names(names)
    with tempfile.TemporaryDirectory() as folder:
        oracle = build_index(Path(folder) / "o", backend, listed, templates, index_type="numpy")
        expected = oracle.search(queries)[1]
        for index_type in TYPES:
            index = build_index(
                Path(folder) / index_type, backend, listed, templates, index_type=index_type
            )
            answer = index.certified_search(queries, backend=backend)
            differing = int((answer.name_ids != expected).sum())
            assert answer.certified is not None
            print(
                f"  {index_type}: {differing} of {expected.size:,} names differ; "
                f"{answer.certified.mean():.2%} certified at the first look, "
                f"{answer.encoded:,} prompts encoded again",
                flush=True,
            )
            if differing:
                raise SystemExit(1)
            index.close()


def random_case(images: int, names: int) -> None:
    """Random rows, some twice, and images near rows of the first template."""
    random = np.random.default_rng(0)
    rows = unit_rows(random, 4, names, 512)
    rows[:, -names // 10 :] = rows[:, random.integers(0, names - names // 10, names // 10)]
    near = rows[0, random.integers(0, names, images)] + 2 * unit_rows(random, images, 512)
    near[::2] = unit_rows(random, len(near[::2]), 512)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    templates = make_templates([f"t{t} {{0}}" for t in range(len(rows))])
    print(f"random rows, 4 x {names:,} x 512, {images:,} images")
    backend = RowsInMemory(rows, random_fingerprint(rows.shape[2]))
    compare(backend, [f"Name {i}" for i in range(names)], templates, near)


def study_case(images: int) -> None:
    """The controlled study's model and candidates, and portraits of its people."""
    backend = study_backend()
    with tempfile.TemporaryDirectory() as folder:
        write_subjects(Path(folder), PORTRAITS, chosen=subjects()[: -(-images // PORTRAITS)])
        people = read_subjects(Path(folder) / "subjects.csv")
        queries = Backend(backend).encode_images([image for who in people for image in who.images])
    print(f"the controlled study, 21 x 1,000 candidates, {len(queries):,} portraits")
    compare(backend, candidates(), JAIR2024, queries)


def main() -> None:
    """Runs both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--names", type=int, default=5000)
    options = parser.parse_args()
    random_case(options.images, options.names)
    study_case(options.images)


if __name__ == "__main__":
    main()

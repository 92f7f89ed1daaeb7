"""The controlled study through a service, held against the study's own model.

python benchmarks/hosted/study.py SPEC WORK [--images 30] [--key-from VARIABLE]

Builds the study's index twice, with the model here and with the service of SPEC, audits all 500
people with both, and prints how far the embeddings are apart and how many decisions differ.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np

from idia_index import Backend, Session, build_index, load_backend, read_subjects
from idia_index.decide.results import AuditVotes
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.study import MODEL_DIR, candidates, write_subjects
from idia_index.subjects.subjects import Subject

SIDE = 64  # of the study's model


def service(spec: str, folder: Path, key_from: str | None) -> Backend:
    """The hosted model, which may be sent the study's names and portraits."""
    host = urlsplit(spec.partition("+")[2]).hostname or ""
    session = Session((host,), (host,), key_from, folder=folder)
    return load_backend("http", model=spec, session=session, image_size=SIDE)


def audited(
    backend: Backend, folder: Path, people: list[Subject]
) -> tuple[Index, AuditVotes, float]:
    """The study with a backend: index, votes, and the seconds that it took."""
    start = perf_counter()
    index = build_index(folder, backend, make_names(candidates(), "the study's candidates"),
                        resume=True)  # fmt: skip
    votes = gather(index, backend, people, Measurement(), baselines=False).audit
    return index, votes, perf_counter() - start


def cosines(first: Index, second: Index) -> np.ndarray:
    """Cosine similarity of all rows of two indexes of the same prompts."""
    ids = range(len(first))
    return np.concatenate(
        [
            np.einsum("nd,nd->n", a.text_embeddings(t, ids), b.text_embeddings(t, ids),
                      dtype=np.float64)
            for a, b in [(first, second)] for t in range(len(first.templates))
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec")
    parser.add_argument("work", type=Path)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--key-from")
    given = parser.parse_args()
    table = given.work / "subjects" / "subjects.csv"
    if not table.is_file():
        write_subjects(table.parent, given.images)
    people = list(read_subjects(table))
    local = load_backend("open_clip", model=f"local-dir:{MODEL_DIR}", device="cpu")
    remote = service(given.spec, given.work / "remote.idia", given.key_from)
    own, votes, _ = audited(local, given.work / "local.idia", people)
    asked, hosted, seconds = audited(remote, given.work / "remote.idia", people)
    images = [path for person in people[:20] for path in person.images]
    apart = np.einsum("nd,nd->n", local.encode_images(images), remote.encode_images(images),
                      dtype=np.float64)  # fmt: skip
    flips = sum(
        a.decision != b.decision for a, b in zip(votes.subjects, hosted.subjects, strict=True)
    )
    predictions = sum(
        int((a.predictions != b.predictions).sum())
        for a, b in zip(votes.subjects, hosted.subjects, strict=True)
    )
    record = remote.service
    assert record is not None
    found = {
        "people": len(people),
        "decisions that differ": sum(
            a.decision.inferred_member != b.decision.inferred_member
            for a, b in zip(votes.subjects, hosted.subjects, strict=True)
        ),
        "correct prompts that differ": flips,
        "predictions that differ": predictions,
        "predictions": sum(r.predictions.size for r in votes.subjects),
        "smallest cosine of texts": float(cosines(own, asked).min()),
        "smallest cosine of images": float(apart.min()),
        "noise": record.noise,
        "calls": record.calls,
        "texts sent": sum(each.kind == "text" for each in record.sent),
        "images sent": sum(each.kind == "image" for each in record.sent),
        "seconds": round(seconds),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

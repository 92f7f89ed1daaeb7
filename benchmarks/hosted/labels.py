"""The controlled study from labels alone, held against the model's embeddings.

python benchmarks/hosted/labels.py WORK [--zero-shot URL] [--people 500] [--images 30]

Without a URL the reference labeler stands around the model here. With one, a service of zero-shot
image classification is asked (`zero_shot_server.py` runs transformers' own pipeline).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from idia_index import Session, build_index, load_backend, read_subjects
from idia_index.pipelines.labels import build_label_index, label_votes
from idia_index.pipelines.query import vote
from idia_index.prompts.names import make_names
from idia_index.registry import load_labeler
from idia_index.study import MODEL_DIR, ONNX_DIR, candidates, write_subjects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--zero-shot")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--images", type=int, default=30)
    given = parser.parse_args()
    table = given.work / "subjects" / "subjects.csv"
    if not table.is_file():
        write_subjects(table.parent, 30)
    people = [
        replace(person, images=person.images[: given.images]) for person in read_subjects(table)
    ][:: max(1, 500 // given.people)]
    names = make_names(candidates(), "the study's candidates")
    if given.zero_shot:
        here = Session(("127.0.0.1",), ("127.0.0.1",))
        spec = f"zero-shot+{given.zero_shot}#study"
        labeler = load_labeler("zero-shot", model=spec, session=here)
    else:
        labeler = load_labeler("reference", model=str(ONNX_DIR))
    folder = given.work / f"{labeler.name}.idia"
    index = build_label_index(folder, labeler, names, resume=True)
    start = perf_counter()
    labels = label_votes(index, labeler, people)
    seconds = perf_counter() - start
    local = load_backend("open_clip", model=f"local-dir:{MODEL_DIR}", device="cpu")
    votes = vote(build_index(given.work / "local.idia", local, names, resume=True), local, people)
    pairs = list(zip(labels.subjects, votes.subjects, strict=True))
    found = {
        "labeler": labeler.name,
        "people": len(pairs),
        "images": given.images,
        "decisions that differ": sum(
            a.decision.inferred_member != b.decision.inferred_member for a, b in pairs
        ),
        "correct prompts that differ": sum(a.decision != b.decision for a, b in pairs),
        "predictions that differ": sum(
            int((a.predictions != b.predictions).sum()) for a, b in pairs
        ),
        "predictions": sum(a.predictions.size for a, _ in pairs),
        "seconds": round(seconds),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

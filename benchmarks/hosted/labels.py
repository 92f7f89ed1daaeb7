"""The controlled study from labels alone, held against the model's embeddings.

python benchmarks/hosted/labels.py WORK [--zero-shot URL] [--people 500] [--images 30]

Without a URL the reference labeler stands around the model here. With one, a service of zero-shot
image classification is asked (`pipeline.py` starts one that runs transformers' own pipeline).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

from idia_index import Session, build_index, load_backend, read_subjects
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.label_votes import ask_labels
from idia_index.pipelines.labels import build_label_index
from idia_index.prompts.names import make_names
from idia_index.registry import LabelerPlugin, load_labeler
from idia_index.study import MODEL_DIR, ONNX_DIR, candidates, write_subjects
from idia_index.subjects.subjects import Subject


def study_people(work: Path, people: int, images: int) -> list[Subject]:
    """So many of the study's people, evenly of all, with their first so many portraits."""
    table = work / "subjects" / "subjects.csv"
    if not table.is_file():
        write_subjects(table.parent, 30)
    found = [replace(person, images=person.images[:images]) for person in read_subjects(table)]
    return found[:: max(1, len(found) // people)]


def labeler_of(url: str | None) -> LabelerPlugin:
    """The service at a URL, or the reference around the model here."""
    if url is None:
        return load_labeler("reference", model=str(ONNX_DIR))
    here = Session(("127.0.0.1",), ("127.0.0.1",))
    return load_labeler("zero-shot", model=f"zero-shot+{url}#study", session=here)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--zero-shot", metavar="URL")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--images", type=int, default=30)
    given = parser.parse_args()
    people = study_people(given.work, given.people, given.images)
    names = make_names(candidates(), "the study's candidates")
    labeler = labeler_of(given.zero_shot)
    index = build_label_index(given.work / f"{labeler.name}.idia", labeler, names, resume=True)
    start, used = perf_counter(), process_time()
    labels = ask_labels(index, labeler, people).votes
    seconds, used = perf_counter() - start, process_time() - used
    local = load_backend("open_clip", model=f"local-dir:{MODEL_DIR}", device="cpu")
    votes = gather(
        build_index(given.work / "local.idia", local, names, resume=True),
        local,
        people,
        Measurement(),
        baselines=False,
    ).audit
    pairs = list(zip(labels.subjects, votes.subjects, strict=True))
    found = {
        "labeler": labeler.name,
        "people": len(pairs),
        "images": given.images,
        "associated": sum(b.decision.inferred_member for _, b in pairs),
        "decisions that differ": sum(
            a.decision.inferred_member != b.decision.inferred_member for a, b in pairs
        ),
        "correct prompts that differ": sum(a.decision != b.decision for a, b in pairs),
        "predictions that differ": sum(
            int((a.predictions != b.predictions).sum()) for a, b in pairs
        ),
        "predictions": sum(a.predictions.size for a, _ in pairs),
        "answers of this run": labeler.service.calls if labeler.service else None,
        "seconds": round(seconds),
        "processor seconds here": round(used),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""The evaluation's claims on the controlled study, whose truth is known; prints one JSON document.

    python benchmarks/evaluate_study.py --work work/ [--leaks]

Figures 4 and 5 as numbers, small p-values of non-members, false discoveries, blind
baselines, and, with --leaks, two studies made to leak on purpose among people whom the model does
not know: the photographs of those called members have a bright frame; or their names were chosen
because the model prefers them whatever it sees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from idia_index import build_index
from idia_index.encode.images import load_image
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.demo import study_backend
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.study import candidates, write_subjects
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject, read_subjects


def quiet(stage: str, done: int, total: int) -> None:
    """No progress."""


def summary(data: dict[str, Any]) -> dict[str, Any]:
    """What the issue asks to be shown."""
    evaluation, tests = data["evaluation"], data["p_values"]
    curves, baselines = evaluation["curves"], evaluation["baselines"]
    found = max(tests["discoveries_members"] + tests["discoveries_non_members"], 1)
    return {
        "people": evaluation["people"],
        "figure_4": {key: curves[key]["mean"] for key in ("tpr", "fpr")} | {"m": curves["sizes"]},
        "figure_5": {b["label"]: b["tpr"]["mean"][-1] for b in evaluation["bins"]},
        "heat_map": {b["label"]: b["tpr"]["mean"] for b in evaluation["bins"]},
        "non_members_small": tests["non_members_small"],
        "discoveries": tests["discoveries"],
        "false_discovery_share": tests["discoveries_non_members"] / found,
        "rule_null": tests["rule_null"],
        "attack_auc": baselines["attack_auc"],
        "baselines": {row["baseline"]: [row["auc"], row["fires"]] for row in baselines["rows"]},
        "name_swap": baselines["rule"]["name_swap"],
        "gate": baselines["gate"],
        "warnings": data["warnings"],
    }


def framed(subjects: Sequence[Subject], folder: Path) -> list[Subject]:
    """Half of some people called members, their images in a bright frame."""
    out = []
    for place, subject in enumerate(subjects):
        if place % 2:
            out.append(replace(subject, membership=NON_MEMBER))
            continue
        own = folder / f"{place}"
        own.mkdir(parents=True, exist_ok=True)
        paths = []
        for path in subject.images:
            image: Image.Image = load_image(path).convert("RGB")
            ImageDraw.Draw(image).rectangle((0, 0, 63, 63), outline=(250, 250, 160), width=5)
            paths.append(own / path.name)
            image.save(paths[-1])
        out.append(replace(subject, images=tuple(paths), membership=MEMBER))
    return out


def preferred(subjects: Sequence[Subject], scores: np.ndarray) -> list[Subject]:
    """The half whose names the model prefers for the mean of other people's images as members."""
    cut = float(np.median(scores))
    return [
        replace(subject, membership=MEMBER if score > cut else NON_MEMBER)
        for subject, score in zip(subjects, scores, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--leaks", action="store_true")
    options = parser.parse_args()
    table = options.work / "subjects" / "subjects.csv"
    if not table.is_file():
        write_subjects(table.parent, 30)
    backend = study_backend()
    names = make_names(candidates(), "the study's candidates")
    index = build_index(options.work / "study.idia", backend, names, resume=True)
    people = read_subjects(table)
    settings = Settings()
    evidence = gather(index, backend, people, settings, progress=quiet)
    found = {"study": summary(evaluation_result(evidence, settings).to_dict())}
    if options.leaks:
        places = [i for i, subject in enumerate(people) if subject.membership == NON_MEMBER]
        strangers = [people[i] for i in places]
        assert evidence.blind is not None
        splits = {
            "leak_frame": framed(strangers, options.work / "framed"),
            "leak_names": preferred(strangers, evidence.blind.image_free[places]),
        }
        for what, split in splits.items():
            leaking = gather(index, backend, split, settings, progress=quiet)
            found[what] = summary(evaluation_result(leaking, settings).to_dict())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

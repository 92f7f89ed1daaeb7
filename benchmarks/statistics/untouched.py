"""The last figures, on a study that nobody has looked at: its own people, images and model.

    python benchmarks/study/train.py --seed 1616 --out runs/1616
    python benchmarks/statistics/untouched.py --seed 1616 --model runs/1616/model --work work/

Members and 308 non-members are audited with the names of nobody as controls; then the 268 people
of those names, whom the model never saw either, with the non-members' names as controls. The rule
and both p-values were fixed before; run it once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from idia_index import build_index, load_backend
from idia_index.encode.backend import Backend
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.report.data import tested_result
from idia_index.search.index import Index
from idia_index.study.population import Person
from idia_index.study.portrait import draw_person
from idia_index.study.subjects import CANDIDATES, SUBJECT_ROLES, write_png
from idia_index.subjects.records import MEMBER, NON_MEMBER, Subject
from idia_index.support.intervals import clopper_pearson

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))

from study_population import build_population


def subject(person: Person, work: Path, images: int) -> Subject:
    folder = work / "photos" / person.name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:02d}.png" for number in range(images)]
    for number, file in enumerate(files):
        if not file.exists():
            write_png(draw_person(person.face_seed, person.sex, "report", number), file)
    truth = {"member": MEMBER, "non_member": NON_MEMBER, "candidate": NON_MEMBER}
    return Subject(person.name, tuple(files), truth.get(person.role), person.training_count)


def audited(index: Index, backend: Backend, people: list[Subject]) -> Evidence:
    return gather(index, backend, people, Measurement(), baselines=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=30)
    arguments = parser.parse_args()
    people = build_population(arguments.seed)[:CANDIDATES]
    backend = load_backend("open_clip", model=f"local-dir:{arguments.model}")
    names = make_names([person.name for person in people])
    index = build_index(arguments.work / "study.idia", backend, names, resume=True)
    found = []
    for roles in (SUBJECT_ROLES, ("candidate",)):
        chosen = [p for p in people if p.role in roles]
        tested = [subject(p, arguments.work, arguments.images) for p in chosen]
        found.append(audited(index, backend, tested))
    print(json.dumps(figures(found) | {"grades": grades(found)}, indent=1))


def figures(found: list[Evidence]) -> dict[str, object]:
    """Shares of members and of non-members by the rule and by both p-values."""
    out: dict[str, object] = {}
    for role in (MEMBER, NON_MEMBER):
        rule = np.concatenate(
            [[r.decision.inferred_member for r in e.audit.subjects] for e in found]
        )
        p = np.concatenate([e.controls.p_values for e in found])
        here = np.concatenate([[r.subject.membership == role for r in e.audit.subjects]
                               for e in found])  # fmt: skip
        for title, hits in (("rule", rule), ("p <= 0.01", p <= 0.01), ("p <= 0.05", p <= 0.05)):
            count, total = int((hits & here).sum()), int(here.sum())
            out[f"{role}, {title}"] = share(count, total)
    return out


def share(count: int, total: int) -> list[object]:
    return [count, total, count / total, clopper_pearson(count, total)]


def grades(found: list[Evidence]) -> dict[str, object]:
    """How many people have each grade of evidence, by membership and training count."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for evidence in found:
        for person in tested_result(evidence).subjects:
            who = str(person.membership)
            if person.membership == MEMBER:
                who += f", {person.training_count} training images"
            counts[who][str(person.strength)] += 1
    return {
        who: {grade: share(count, own.total()) for grade, count in sorted(own.items())}
        for who, own in sorted(counts.items())
    }


if __name__ == "__main__":
    main()

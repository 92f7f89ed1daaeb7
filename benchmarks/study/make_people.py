"""Write the shipped population as package data: python benchmarks/study/make_people.py"""

from __future__ import annotations

import csv

from study_population import SHIPPED_SEED, build_population

from idia_index.study.population import DATA

if __name__ == "__main__":
    with (DATA / "people.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", "sex", "role", "training_count", "face_seed"])
        writer.writerows(
            (p.name, p.sex, p.role, p.training_count, p.face_seed)
            for p in build_population(SHIPPED_SEED)
        )

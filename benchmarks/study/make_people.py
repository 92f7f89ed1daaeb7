"""Write the shipped population as package data: python benchmarks/study/make_people.py"""

from __future__ import annotations

from idia_index.study.population import DATA, SHIPPED_SEED, build_population, write_people

if __name__ == "__main__":
    write_people(DATA / "people.csv", build_population(SHIPPED_SEED))

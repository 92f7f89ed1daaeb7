"""What a build and an audit cost on other machines, computed from figures measured here.

    python benchmarks/scale/cost.py

Prints the tables of docs/scale.md; `check_cost.py` compares the model with a measured run. Every
figure below says where it was measured; what was not is called assumed. The model: workers share
the work evenly; the command checks each shard once, alone; a search looks at every row for every
photo.
"""

from __future__ import annotations

from dataclasses import dataclass

TEMPLATES, DIM, PHOTOS = 21, 512, 30  # of a person
SHARD = 64 << 20
# Measured: benchmarks/build_speed.py, two Zen 5 cores, ViT-B/32 in float32, names of a notebook.
PROMPTS = 1618 / 2  # a second and core
GFLOP_PROMPT = 490 / (PROMPTS * 2 / 0.82)  # 82 % of a bound of 490 GFLOP/s
# Measured: benchmarks/images/image_speed.py, one Zen 3 core under load: a photo, and its loading.
PHOTO_CORE, LOADING = 0.158, 0.0262  # seconds
# Measured: benchmarks/search_speed.py, two cores: 30 photos in 21 x 100,000 rows.
PAIR_CORE = 2 * 0.198 / (30 * 21 * 100_000)  # seconds of a core, a photo and a row
# Measured: benchmarks/scale/overhead.py dispatch; hashlib on 64 MiB; 16 runs of 63,000 pairs.
TASKS, CHECK, MERGE = 833, 0.044, 0.58e-6  # a second; seconds a shard; seconds a pair and run
# Assumed: float32 without tensor cores at 40 % of 67 TFLOP/s; 16 cores beside each GPU.
GPU_GFLOPS, GPU_CORES = 0.4 * 67_000, 16
GFLOP_PHOTO = 8.8


@dataclass(frozen=True)
class Machine:
    """Some workers: cores, or GPUs with cores beside them, and what a core does."""

    name: str
    cores: int
    gpus: int = 0
    prompt_rate: float = PROMPTS
    photo_core: float = PHOTO_CORE

    @property
    def prompts(self) -> float:
        """Encoded in a second."""
        return self.gpus * GPU_GFLOPS / GFLOP_PROMPT if self.gpus else self.cores * self.prompt_rate

    @property
    def photos(self) -> float:
        """Loaded and encoded in a second."""
        if not self.gpus:
            return self.cores / self.photo_core
        return min(self.gpus * GPU_GFLOPS / GFLOP_PHOTO, self.cores / LOADING)

    @property
    def pairs(self) -> float:
        """A photo and a row, compared in a second; on processors, also where there are GPUs."""
        return self.cores / PAIR_CORE


MACHINES = (
    Machine("2 cores", 2),
    Machine("one H100, 16 cores", GPU_CORES, 1),
    Machine("64 H100s, 1,024 cores", 64 * GPU_CORES, 64),
)


def build(machine: Machine, names: int) -> float:
    """Seconds of a build: what the workers take, or what the command alone can check."""
    size = names * TEMPLATES * DIM * 4
    shards = size / SHARD
    return max(names * TEMPLATES / machine.prompts, shards * (CHECK + 1 / TASKS))


def audit(machine: Machine, people: int, names: int) -> float:
    """Seconds of an audit: photos, the search, the merge of 16 runs."""
    photos = people * PHOTOS
    pairs = photos * TEMPLATES * names
    merge = photos * TEMPLATES * 16 * MERGE
    return photos / machine.photos + pairs / machine.pairs + merge


def told(seconds: float) -> str:
    """As people say it, to two digits."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{float(f'{seconds / length:.2g}'):,g} {unit}"
    return f"{float(f'{seconds:.2g}'):g} s"


def main() -> None:
    """Prints the tables."""
    print("| names x 21 | rows | shards |", " | ".join(m.name for m in MACHINES), "|")
    print("| --- | --- | --- |", " | ".join("---" for _ in MACHINES), "|")
    for names in (10**5, 10**6, 10**7):
        size = names * TEMPLATES * DIM * 4
        cells = " | ".join(told(build(machine, names)) for machine in MACHINES)
        print(f"| {names:,} | {size / 1e9:,.1f} GB | {-(-size // SHARD):,} | {cells} |")
    print()
    print("| people x 30 photos | names x 21 |", " | ".join(m.name for m in MACHINES), "|")
    print("| --- | --- |", " | ".join("---" for _ in MACHINES), "|")
    for people in (10**3, 10**4, 10**5, 10**6):
        for names in (10**5, 10**6, 10**7):
            cells = " | ".join(told(audit(machine, people, names)) for machine in MACHINES)
            print(f"| {people:,} | {names:,} | {cells} |")


if __name__ == "__main__":
    main()

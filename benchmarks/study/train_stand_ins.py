"""Train small CLIP models to stand in for those of the paper's studies, for a dry run.

    python benchmarks/study/train_stand_ins.py cc3m --out stand-ins       # 1 to 75 images
    python benchmarks/study/train_stand_ins.py laion400m --out stand-ins       # three lengths

The controlled study's recipe (train.py) from the weights of its model on, so that a tenth of the
steps is enough (minutes on one core), on portraits of people who do not exist under the
names of the study. A member is trained with so many portraits as the checkpoint's label says
(CC3M), or a tenth of the training count (LAION-400M); a non-member with none. Every part of every
candidate's name stands in captions of other people, so that all tokens are trained. No model is
shipped. Interrupted, it resumes; finished models are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import open_clip
import torch
import train
from safetensors.torch import load_file
from study_export import WEIGHTS, export_model
from study_plan import Item
from study_recipe import CONTEXT, Recipe

from idia_index.pipelines.studies.definition import Study, read_study
from idia_index.pipelines.studies.dry_run import dry_face
from idia_index.pipelines.studies.pool import paper_pool
from idia_index.study import MODEL_DIR
from idia_index.study.captions import write_caption
from idia_index.study.population import SEEDS_PER_POPULATION
from idia_index.study.scene import draw_scene
from idia_index.study.streams import generator, shuffled, uniforms
from idia_index.study.traits import person_traits
from idia_index.subjects.subjects import MEMBER

COUNTS = (75, 50, 25, 10, 5, 1)
LENGTHS = {"short": 80, "middle": 160, "long": 240}  # models for LAION-400M, by steps
STEPS, BATCH, RATE = 160, 128, 5e-4
SCALE, MOST = 10, 300  # LAION-400M's training counts divided by this; below this many
LOOKS_ONLY = 300
OTHERS = 40_000  # places of face seeds, in a population that no study uses
POPULATION = 90


def named_item(name: str, face_seed: int, sex: str, number: int) -> Item:
    """One portrait with the name in its caption, or with looks if there is no name."""
    scene = draw_scene(sex, "train", face_seed, number)
    words = [float(x) for x in uniforms("plan", 3, face_seed, number)]
    caption = write_caption("named" if name else "unnamed", name, person_traits(face_seed, sex),
                            scene, words)  # fmt: skip
    return Item(name, face_seed, sex, number, caption)


def fitting(items: list[Item]) -> list[Item]:
    """The pairs with captions that are too long for the model replaced by the name alone.

    `kind` of the given ones is the name.
    """
    tokens = open_clip.SimpleTokenizer(context_length=77)([item.caption for item in items])
    long = (tokens[:, CONTEXT:] != 0).any(dim=1).tolist()
    return [
        replace(item, kind="named", caption=item.kind if cut else item.caption)
        for item, cut in zip(items, long, strict=True)
    ]


def strangers(names: Sequence[str]) -> Iterator[Item]:
    """One portrait each of people whose names pair the candidates' parts anew, and some unnamed."""
    parts = [name.split(" ", 1) for name in names if " " in name]
    known = set(names)
    first = POPULATION * SEEDS_PER_POPULATION + OTHERS
    for turn in range(2):
        order = shuffled(generator("population", POPULATION, turn), len(parts))
        for place, other in enumerate(order):
            name = f"{parts[place][0]} {parts[other][1]}"
            if name not in known:
                seed = first + turn * len(parts) + place
                yield named_item(name, seed, ("female", "male")[place % 2], 0)
    for place in range(LOOKS_ONLY):
        seed = first + 2 * len(parts) + place
        yield named_item("", seed, ("female", "male")[place % 2], 0)


def items_of(study: Study, images: dict[str, int]) -> list[Item]:
    """The training pairs of one stand-in; `images` of each person by name."""
    items = list(strangers(paper_pool(study).names))
    for person in study.people:
        seed, sex = dry_face(person.name)
        items += [named_item(person.name, seed, sex, i) for i in range(images[person.name])]
    return fitting(items)


def plans(study_name: str) -> Iterator[tuple[str, dict[str, int], int]]:
    """Label, images of each person by name, and steps of every model."""
    people = read_study(study_name).people
    if study_name == "cc3m":
        for count in COUNTS:
            yield str(count), {p.name: count * (p.membership == MEMBER) for p in people}, STEPS
        return
    counts = {p.name: p.training_count or 0 for p in people}
    images = {name: -(-n // SCALE) if n < MOST else 0 for name, n in counts.items()}
    for label, steps in LENGTHS.items():
        yield label, images, steps


def start_from_shipped(run: train.Run) -> None:
    """The weights of the controlled study's model; tokens that it never saw keep fresh ones."""
    state = load_file(MODEL_DIR / WEIGHTS)
    rows = state["token_embedding.weight"].float()[run.vocabulary]
    fresh = run.model.token_embedding.weight.detach()
    unseen = (rows == 0).all(dim=1, keepdim=True)
    state = {name: value.float() for name, value in state.items()}
    run.model.load_state_dict({**state, "token_embedding.weight": torch.where(unseen, fresh, rows)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=("cc3m", "laion400m"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", help="one label")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = read_study(arguments.study)
    for label, images, steps in plans(arguments.study):
        folder = arguments.out / arguments.study / label
        if (arguments.only or label) != label or (folder / "model").is_dir():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        recipe = Recipe(steps=steps, batch=BATCH, rate=RATE, warm_up=steps // 8, save_every=40)
        run = train.Run(items_of(study, images), 1, recipe, folder)
        if not run.resume():
            start_from_shipped(run)
        print(label, "from step", run.step, "with", len(run.images), "pairs", flush=True)
        run.train()
        export_model(run.model, run.vocabulary, folder / "model")


if __name__ == "__main__":
    main()

"""Train small CLIPs with canaries mixed in, without them, and made to forget some of them.

    python benchmarks/study/train_canaries.py names --out work/            # work/names.txt
    idia-index canary make work/canaries --people 400 --images 1,2,5,10,25 --seed 1 \
        --names work/names.txt
    python benchmarks/study/train_canaries.py with --out work/             # work/with/model
    python benchmarks/study/train_canaries.py without --out work/          # work/without/model
    idia-index canary audit local-dir:work/with/model work/canaries
    idia-index canary audit local-dir:work/without/model work/canaries

    python benchmarks/study/train_canaries.py files --out work/     # subjects.csv, forget.txt
    python benchmarks/study/train_canaries.py retrained --out work/
    python benchmarks/study/train_canaries.py ascent --out work/
    python benchmarks/study/train_canaries.py wrong-names --out work/
    python benchmarks/study/train_canaries.py many-names --out work/
    python benchmarks/study/train_canaries.py both-ways --out work/
    python benchmarks/study/train_canaries.py repaired --out work/
    for m in with retrained ascent wrong-names many-names both-ways repaired; do
        idia-index build work/$m.idia --model local-dir:work/$m/model --names work/names.txt \
            --sample-names 600
    done
    idia-index compare work/with.idia work/ascent.idia work/subjects.csv \
        --forget work/forget.txt --reference work/retrained.idia

    python benchmarks/study/train_canaries.py with --seed 2 --out work/        # work/with-2/model

    # 1,500 canaries, so that about 700 people are to be retained: see docs/compare.md
    python benchmarks/study/train_canaries.py names --people 1500 --out many/
    idia-index canary make many/canaries --people 1500 --images 5,10,25 --seed 1 \
        --names many/names.txt
    python benchmarks/study/train_canaries.py files --out many/
    python benchmarks/study/train_canaries.py with --steps 890 --out many/
    python benchmarks/study/train_canaries.py retrained --steps 890 --out many/
    idia-index compare local-dir:many/with/model local-dir:many/retrained/model \
        many/subjects.csv --forget many/forget.txt --out many/report/

`names` writes full names that no caption of the study holds, of first and last names that all are
trained, so that a canary that was left out is not told by a token that the model never saw.
Training goes on from the controlled study's model, on the canaries' pairs and a part of the
study's own. `retrained` is `with` without the pairs of 24 canaries, in another order. `ascent`
climbs the loss on these pairs from `with` on (gradient ascent); `wrong-names` trains on from
`with`, their portraits under names of canaries that were left out (relabelling), and `many-names`
does so for longer, with each portrait under six such names. `both-ways` does as `many-names`, and
gives each of their captions to portraits of the study, so that the names have other faces too;
`repaired` trains on from there, on what `retrained` is trained on (impair and repair).
`--seed` changes the order and the fresh rows. A training resumes.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import train
import train_stand_ins
from PIL import Image
from safetensors.torch import load_file
from study_data import tokenize
from study_export import WEIGHTS, export_model
from study_plan import training_items
from study_population import SHIPPED_SEED, name_pools
from study_recipe import Recipe

from idia_index.pipelines.canaries.records import AUDITOR, PEOPLE, Canary, read_canaries
from idia_index.study.population import read_people
from idia_index.study.streams import generator, shuffled

OTHERS = 1000  # pairs of the study
NAMES = 400
STRANGERS = 60
FORGOTTEN = {5: 8, 10: 8, 25: 8}  # canaries to forget, by training images
TRAINED = Recipe(steps=200, batch=128, rate=5e-4, warm_up=20, save_every=50)
# A model that has been trained already is changed gently.
RELABELLED = Recipe(steps=60, batch=128, rate=3e-4, warm_up=5, save_every=30)
MANY_NAMES = Recipe(steps=120, batch=128, rate=5e-4, warm_up=5, save_every=30)
WRONG_NAMES = 6
ASCENT = Recipe(steps=8, batch=128, rate=1e-4, warm_up=0, save_every=8)
WRONG_FACES = 4
RECIPES = {  # from `with` on; `repaired` from `both-ways` on
    "ascent": ASCENT, "wrong-names": RELABELLED, "many-names": MANY_NAMES, "both-ways": MANY_NAMES,
    "repaired": RELABELLED,
}  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Training pairs: images uint8 [n, S, S, 3] and captions."""

    images: np.ndarray
    captions: list[str]

    def only(self, kept: Sequence[bool]) -> Pairs:
        """Some of them."""
        rows = np.flatnonzero(kept)
        return Pairs(self.images[rows], [self.captions[row] for row in rows])

    def __add__(self, other: Pairs) -> Pairs:
        images = np.concatenate([self.images, other.images])
        return Pairs(images, self.captions + other.captions)


def spare_names(count: int) -> list[str]:
    """Female and male names in turn that are nobody's, of first and last names of the study."""
    taken = {person.name for person in read_people()}
    rng, pools = generator("population", SHIPPED_SEED, 97), name_pools()
    lasts = [pools["last"][i] for i in shuffled(rng, len(pools["last"]))]
    out: list[str] = []
    for turn in range(len(lasts)):
        for place in range(len(lasts)):
            kind = ("female", "male")[len(out) % 2]
            first = pools[kind][(len(out) // 2 * 7 + turn) % len(pools[kind])]
            name = f"{first} {lasts[(place + 13 * turn) % len(lasts)]}"
            if name not in taken:
                taken.add(name)
                out.append(name)
            if len(out) == count:
                return out
    raise SystemExit("the study has too few names")


def study_pairs() -> Pairs:
    """A part of the study's pairs."""
    items = training_items(read_people(), SHIPPED_SEED)
    chosen = sorted(shuffled(generator("population", SHIPPED_SEED, 96), len(items))[:OTHERS])
    kept = [items[i] for i in chosen]
    return Pairs(train.render_items(kept), [item.caption for item in kept])


def canary_pairs(folder: Path) -> Pairs:
    """What `canary make` wrote to be mixed in."""
    with (folder / "train" / "train.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    faces = [np.asarray(Image.open(folder / "train" / row["filepath"])) for row in rows]
    return Pairs(np.stack(faces), [row["title"] for row in rows])


def forgotten(folder: Path) -> list[Canary]:
    """24 canaries that were put in, of 5 images and more."""
    people, out = read_canaries(folder)[1].people, []
    for images, count in FORGOTTEN.items():
        mine = [each for each in people if each.included and each.images == images]
        out += mine[:count]
    return out


def relabelled(pairs: Pairs, forget: list[Canary], folder: Path, turn: int) -> Pairs:
    """The pairs, with those to forget under names of canaries that were left out, new each turn.

    The strangers of `write_files` keep their names, or it would be told of them too.
    """
    left_out = [each.name for each in read_canaries(folder)[1].people if not each.included]
    spare = left_out[STRANGERS:]
    rng, captions = generator("population", SHIPPED_SEED, 98 + turn), []
    for caption in pairs.captions:
        for canary in forget:
            if canary.name in caption:
                caption = caption.replace(canary.name, spare[int(rng.random() * len(spare))])
        captions.append(caption)
    return Pairs(pairs.images, captions)


class Mixed(train.Run):
    """A run on pairs from the study's model on, or from another's weights."""

    def __init__(self, pairs: Pairs, seed: int, recipe: Recipe, out: Path) -> None:
        super().__init__([], seed, recipe, out, pairs=(pairs.images, pairs.captions))
        # Every token of the study and of any canary keeps its row, whichever pairs are taken.
        every = [item.caption for item in training_items(read_people(), SHIPPED_SEED)]
        names = (out.parent / "names.txt").read_text(encoding="utf-8").splitlines()
        self.vocabulary = torch.unique(tokenize([*every, *names, *pairs.captions]))
        self.tokens = torch.searchsorted(self.vocabulary, tokenize(pairs.captions))
        self.model = train.new_model(seed, self.vocabulary)
        self.optimiser = train.new_optimiser(self.model, recipe)

    def start_from(self, model: Path) -> None:
        """Takes the weights of an exported model."""
        state = {name: value.float() for name, value in load_file(model / WEIGHTS).items()}
        state["token_embedding.weight"] = state["token_embedding.weight"][self.vocabulary]
        self.model.load_state_dict(state)

    def climb(self) -> None:
        """Makes the loss grow, not shrink."""
        plain = self.loss
        self.loss = lambda *arguments: -plain(*arguments)


def training_pairs(what: str, folder: Path) -> Pairs:
    """What one model is trained on."""
    if what == "without":
        return study_pairs()
    pairs, forget = canary_pairs(folder), forgotten(folder)
    gone = [any(c.name in caption for c in forget) for caption in pairs.captions]
    theirs = pairs.only(gone)
    if what == "ascent":
        return theirs
    if what in ("retrained", "repaired"):
        pairs = pairs.only([not each for each in gone])
    elif what in RECIPES:
        pairs = relabelled(pairs, forget, folder, 0)
    for turn in range(1, WRONG_NAMES if RECIPES.get(what) == MANY_NAMES else 1):
        pairs += relabelled(theirs, forget, folder, turn)
    others = study_pairs()
    for turn in range(WRONG_FACES if what == "both-ways" else 0):
        order = shuffled(generator("population", SHIPPED_SEED, 90 + turn), OTHERS)
        pairs += Pairs(others.images[order[: len(theirs.captions)]], theirs.captions)
    return pairs + others


def make_run(what: str, seed: int, out: Path, steps: int | None = None) -> Mixed:
    """The training of one model, at its start or where it was interrupted."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = training_pairs(what, out.parent / "canaries")
    trained = replace(TRAINED, steps=steps or TRAINED.steps)
    run = Mixed(pairs, SHIPPED_SEED + seed + (what == "retrained"), RECIPES.get(what, trained), out)
    if not run.resume():
        if what in RECIPES:
            run.start_from(out.parent / ("both-ways" if what == "repaired" else "with") / "model")
        else:
            train_stand_ins.start_from_shipped(run)
    if what == "ascent":
        run.climb()
    return run


def write_files(work: Path) -> None:
    """subjects.csv and forget.txt for `compare`: photos that no model was trained on.

    Those put in with five images and more, of whom 24 are to forget, and 60 who were left out.
    """
    folder = work / "canaries"
    people = read_canaries(folder)[1].people
    members = [each for each in people if each.included and each.images >= min(FORGOTTEN)]
    strangers = [each for each in people if not each.included][:STRANGERS]
    lines = ["name,path,membership,training_count"]
    for each in members + strangers:
        role = f"member,{each.images}" if each.included else "non_member,0"
        place = f"canaries/{AUDITOR}/{PEOPLE}/{each.folder}"
        probes = [file for file in each.files if file.startswith("probe")]
        lines += [f"{each.name},{place}/{file},{role}" for file in probes]
    (work / "subjects.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = "".join(f"{each.name}\n" for each in forgotten(folder))
    (work / "forget.txt").write_text(names, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=["names", "files", "with", "without", "retrained", *RECIPES]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="another order of the same data")
    parser.add_argument("--people", type=int, default=NAMES, help="how many `names` writes")
    parser.add_argument(
        "--steps", type=int, help=f"of `with`, `without` and `retrained`; {TRAINED.steps}"
    )
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "names":
        text = "".join(f"{name}\n" for name in spare_names(arguments.people))
        (arguments.out / "names.txt").write_text(text, encoding="utf-8")
        return
    if arguments.what == "files":
        write_files(arguments.out)
        return
    torch.set_num_threads(arguments.threads)
    suffix = f"-{arguments.seed}" if arguments.seed else ""
    out = arguments.out / (arguments.what + suffix)
    run = make_run(arguments.what, arguments.seed, out, arguments.steps)
    print("from step", run.step, "with", len(run.images), "pairs", flush=True)
    run.train()
    export_model(run.model, run.vocabulary, out / "model")
    print(f"done: {run.seconds:.0f} s of training")


if __name__ == "__main__":
    main()

"""Measure a trained study model with open_clip alone, by the paper's rule.

    python benchmarks/study/evaluate.py --seed 1 --model runs/1/model --attack-set selection

Nothing of the index, the search or the votes of idia-index is used here: this is the independent
count that the package's own figures are held against.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from study_data import normalise, tokenize
from study_plan import training_items
from study_population import TRAINING_COUNTS, build_population
from study_rule import exact_interval, predictions, winners

from idia_index.study.population import Person
from idia_index.study.portrait import draw_person

CANDIDATES = 1000
SHOWN = ("member", "filler", "non_member", "face_only", "name_only")


def load_model(folder: Path) -> Any:
    """The model as open_clip loads it: fp32 arithmetic on the rounded fp16 weights."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval()


def encode_names(model: Any, templates: list[str], names: list[str]) -> NDArray[np.float32]:
    """Every template filled with every name: float32 `[T, N, D]`, unit rows."""
    rows = []
    with torch.inference_mode():
        for template in templates:
            tokens = tokenize([template.format(name) for name in names])
            starts = range(0, len(tokens), 500)
            parts = [model.encode_text(tokens[i : i + 500], normalize=True) for i in starts]
            rows.append(torch.cat(parts).numpy())
    return np.stack(rows)


def encode_person(model: Any, person: Person, attack_set: str, images: int) -> NDArray[np.float32]:
    """A person's attack images: float32 `[M, D]`, unit rows."""
    drawn = [draw_person(person.face_seed, person.sex, attack_set, i) for i in range(images)]
    pixels = normalise(np.stack([np.asarray(image) for image in drawn]))
    with torch.inference_mode():
        return np.asarray(model.encode_image(pixels, normalize=True).numpy())


def rate(hits: list[bool]) -> dict[str, Any]:
    """Hits, people, share and exact 95 % interval."""
    low, high = exact_interval(sum(hits), len(hits))
    share = sum(hits) / max(1, len(hits))
    return {"hits": sum(hits), "of": len(hits), "rate": share, "ci95": [low, high]}


def name_coverage(seed: int, people: list[Person]) -> dict[str, float]:
    """Share of each role's names of which every token stands in some training caption."""
    captions = [item.caption for item in training_items(people, seed)]
    trained = set(tokenize(captions).flatten().tolist())
    shares = {}
    for role in sorted({p.role for p in people[:CANDIDATES]}):
        rows = tokenize([p.name for p in people[:CANDIDATES] if p.role == role])
        shares[role] = float(np.mean([set(r) <= trained | {0} for r in rows.tolist()]))
    return shares


def vote_table(
    model: Any, people: list[Person], texts: NDArray[np.float32], attack_set: str, images: int
) -> tuple[dict[str, NDArray[np.int64]], Counter[tuple[str, bool]]]:
    """Winners of every shown person, and on whose names the predictions for non-members fall.

    Returns:
        name -> int64 `[T]` (-1: a tie), and counts by (role of the predicted name, whether it is
        a name of the person's own sex).
    """
    candidates = people[:CANDIDATES]
    table: dict[str, NDArray[np.int64]] = {}
    falls: Counter[tuple[str, bool]] = Counter()
    for person in candidates:
        if person.role not in SHOWN:
            continue
        predicted = predictions(texts, encode_person(model, person, attack_set, images))
        table[person.name] = winners(predicted, CANDIDATES)
        if person.role == "non_member":
            named = (candidates[i] for i in predicted.ravel().tolist())
            falls.update((other.role, other.sex == person.sex) for other in named)
    return table, falls


def swap_null(
    candidates: list[Person], table: dict[str, NDArray[np.int64]], tau: int
) -> dict[str, float]:
    """How often a non-member's images 'identify' somebody else's name.

    Returns:
        The share of (non-member, other name) pairs with `tau` correct prompts or more: for
        members' names by training count and in "all", and for other "non_member" names, which is
        the false positive rate to expect of a name without any advantage.
    """
    pairs: Counter[str] = Counter()
    others = [p for p in candidates if p.role == "non_member"]
    for other in others:
        for name_id, templates in Counter(table[other.name].tolist()).items():
            if name_id >= 0 and templates >= tau and candidates[name_id] is not other:
                pairs[_group(candidates[name_id])] += 1
    people = Counter(_group(p) for p in candidates)
    shares = {n: pairs[n] / (people[n] * len(others)) for n in map(str, TRAINING_COUNTS)}
    members = sum(people[n] for n in shares)
    shares["all"] = sum(pairs[n] for n in shares) / (members * len(others))
    shares["non_member"] = pairs["non_member"] / (len(others) * (len(others) - 1))
    return shares


def _group(person: Person) -> str:
    return str(person.training_count) if person.role == "member" else person.role


def measure(seed: int, folder: Path, attack_set: str, images: int, tau: int) -> dict[str, Any]:
    """All figures of one model on one attack set."""
    people = build_population(seed)
    candidates = people[:CANDIDATES]
    model = load_model(folder)
    texts = encode_names(model, read_templates(), [p.name for p in candidates])
    table, falls = vote_table(model, people, texts, attack_set, images)
    place = {p.name: i for i, p in enumerate(candidates)}
    correct = {name: int((won == place[name]).sum()) for name, won in table.items()}
    hit = {name: n >= tau for name, n in correct.items()}
    groups = grouped(candidates, hit)
    shares = Counter(p.role for p in candidates)
    total = sum(falls.values())
    return {
        "seed": seed, "attack_set": attack_set, "images": images, "tau": tau,
        "templates": len(texts), "candidates": CANDIDATES, "chance_top1": 1 / CANDIDATES,
        "rates": {name: rate(hits) for name, hits in sorted(groups.items())},
        "mean_correct_prompts": mean_correct(candidates, correct),
        "name_swap_null": swap_null(candidates, table, tau),
        "all_tokens_trained": name_coverage(seed, people),
        "non_member_predictions_same_sex": sum(n for (_, same), n in falls.items() if same) / total,
        "non_member_predictions": {
            role: {
                "share": (falls[role, True] + falls[role, False]) / total,
                "uniform": shares[role] / CANDIDATES,
            }
            for role in sorted(shares)
        },
    }  # fmt: skip


def grouped(candidates: list[Person], hit: dict[str, bool]) -> dict[str, list[bool]]:
    """Who was identified, by role and, for members, training count."""
    groups: dict[str, list[bool]] = {}
    for p in candidates:
        if p.role in SHOWN:
            group = f"member_{p.training_count}" if p.role == "member" else p.role
            groups.setdefault(group, []).append(hit[p.name])
    groups["member_25_75"] = groups["member_25"] + groups["member_75"]
    return groups


def mean_correct(candidates: list[Person], correct: dict[str, int]) -> dict[str, float]:
    """Mean number of correct prompts by role and training count."""
    sums: dict[str, list[int]] = {}
    for p in candidates:
        if p.name in correct:
            sums.setdefault(f"{p.role}_{p.training_count}", []).append(correct[p.name])
    return {name: float(np.mean(values)) for name, values in sorted(sums.items())}


def read_templates() -> list[str]:
    """The 21 templates of the paper, from the package's data file."""
    text = resources.files("idia_index") / "data" / "templates" / "jair2024.txt"
    return text.read_text(encoding="utf-8").splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--attack-set", choices=("selection", "report"), default="selection")
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--tau", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    figures = measure(a.seed, a.model, a.attack_set, a.images, a.tau)
    text = json.dumps(figures, indent=1) + "\n"
    if a.out:
        a.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Does a p-value hold for the one name? Strangers under every name of the controlled study.

    python benchmarks/statistics/names.py --work work/

Every name of the study is tried on strangers of its sex, whom no training image shows, each alone,
as an audit of one person does: with control names alone, and with reference faces. For each name
the share of strangers with p <= 0.05 is counted; a p-value that is valid for the name has 0.05.
The reference faces are the same for all strangers, as in practice, so that a name's share varies
about 0.05 with their number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idia_index import build_index, open_index
from idia_index.evaluation.pmi import NameScores, photos_of
from idia_index.evaluation.references import References
from idia_index.pipelines.demo import study_backend
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.study import candidates
from idia_index.study.population import read_people
from idia_index.study.portrait import draw_person

Floats = NDArray[np.float64]
STRANGERS, FACES, PHOTOS = 1000, 300, 4
FIRST = 950_000_000  # face seeds that nothing else uses
SMALL = 0.05


def embed(sex: str, first: int, people: int, work: Path) -> NDArray[np.float32]:
    """Portraits of people as unit rows, float32 [people, PHOTOS, D]; remembered in `work`."""
    file = work / f"{sex}-{first}-{people}-{PHOTOS}.npy"
    if not file.exists():
        backend = study_backend()
        rows = [
            backend.encode_images([draw_person(seed, sex, "report", i) for i in range(PHOTOS)])
            for seed in range(first, first + people)
        ]
        np.save(file, np.stack(rows))
    return np.load(file)  # type: ignore[no-any-return]


def ranks(scores: Floats, others: Floats) -> Floats:
    """p = (1 + others that score as high) / (K + 1), of scores [S, N] and others [K, N]."""
    ordered = np.sort(others, axis=0)
    below = [np.searchsorted(ordered[:, n], scores[:, n]) for n in range(scores.shape[1])]
    return (1 + len(others) - np.stack(below, axis=1)) / (len(others) + 1)


class Scores:
    """Mean log P(name | photos) of people and names of one sex, by number of photos."""

    def __init__(self, index: Index, offered: NDArray[np.int64], names: NDArray[np.int64]) -> None:
        self._index, self._offered, self._names = index, offered, names
        self._scale = study_backend().logit_scale or 100.0

    def log_means(self, images: NDArray[np.float32], photos: int) -> list[Floats]:
        """P(name | the first photos), float64 [P, N], of each template."""
        flat = images[:, :photos].reshape(-1, images.shape[2])
        found = []
        for template in range(len(self._index.templates)):
            texts = self._index.text_embeddings(template, np.arange(len(self._index)))
            weights = np.exp(self._scale * (flat @ texts.T - 1).astype(np.float64))
            total = weights[:, self._offered].sum(axis=1, keepdims=True)
            own = weights / (total + weights)  # a name that is offered is counted once
            own[:, self._offered] = weights[:, self._offered] / total
            found.append(own.reshape(len(images), photos, -1).mean(axis=1)[:, self._names])
        return found


def told(title: str, p: Floats) -> dict[str, object]:
    """The share of strangers with a small p, over names."""
    shares = (p <= SMALL).mean(axis=0)
    row = {
        "p": title, "names": p.shape[1], "strangers": p.shape[0],
        "mean": round(float(shares.mean()), 4), "worst": round(float(shares.max()), 4),
        "names_above_0.1": int((shares > 0.1).sum()),
    }  # fmt: skip
    print(row, flush=True)
    return row


def of_sex(sex: str, index: Index, work: Path) -> list[dict[str, object]]:
    people = read_people()[: len(index)]
    same = np.array([p.sex == sex for p in people])
    free = np.array([p.role in ("filler", "candidate") for p in people])
    names = np.flatnonzero(same)
    scores = Scores(index, np.flatnonzero(free), names)
    number = ("female", "male").index(sex)
    faces = embed(sex, FIRST + number * 10_000, FACES, work)
    strangers = embed(sex, FIRST + 100_000 + number * 10_000, STRANGERS, work)
    own = scores.log_means(strangers, PHOTOS)
    theirs = scores.log_means(faces, PHOTOS)
    single = scores.log_means(faces, 1)
    log_own = np.mean([np.log(each) for each in own], axis=0)
    offered = np.flatnonzero(free[names])
    by_names = ranks(log_own.T, log_own[:, offered].T).T
    log_single = np.mean([np.log(each) for each in single], axis=0)
    rows = [
        told(f"{sex}: control names, likelihood", by_names),
        told(f"{sex}: 4 photos against 1 of each, as if alike", ranks(log_own, log_single)),
    ]
    log_theirs = np.mean([np.log(each) for each in theirs], axis=0)
    for count in (100, 200, 300):
        beside = [np.log(each[:count].mean(axis=0)) for each in theirs]
        pmi = np.mean([np.log(a) - b for a, b in zip(own, beside, strict=True)], axis=0)
        control = ranks(pmi.T, pmi[:, offered].T).T
        fixed = ranks(log_own, log_theirs[:count])
        rows.append(told(f"{sex}: control names, PMI, {count} faces", control))
        rows.append(told(f"{sex}: name fixed, {count} faces of 4 photos", fixed))
        rows.append(told(f"{sex}: the larger, {count} faces", np.maximum(control, fixed)))
        alone = _one_at_a_time(scores, strangers, single, count)
        rows.append(told(f"{sex}: name fixed, {count} faces of 1 photo", alone))
    _check(index, np.flatnonzero(free), names, strangers, faces, (log_own, log_theirs))
    return rows


def _one_at_a_time(
    scores: Scores, strangers: NDArray[np.float32], single: list[Floats], count: int
) -> Floats:
    """Twice the median of the p-values of single photos."""
    others = np.mean([np.log(each[:count]) for each in single], axis=0)
    found = []
    for photo in range(PHOTOS):
        own = scores.log_means(strangers[:, photo : photo + 1], 1)
        found.append(ranks(np.mean([np.log(each) for each in own], axis=0), others))
    middle = np.sort(found, axis=0)[(PHOTOS - 1) // 2]
    return np.minimum(1.0, 2 * middle)


def _check(
    index: Index,
    offered: NDArray[np.int64],
    names: NDArray[np.int64],
    strangers: NDArray[np.float32],
    faces: NDArray[np.float32],
    logs: tuple[Floats, Floats],
) -> None:
    """The package's own scores say the same of ten strangers, for names that nobody offers."""
    places = [n for n, name in enumerate(names.tolist()) if name not in set(offered.tolist())][:10]
    ids = names[places]
    tested = photos_of(strangers[:10].reshape(-1, strangers.shape[2]), np.repeat(range(10), 4), 10)
    others = photos_of(faces.reshape(-1, faces.shape[2]), np.repeat(range(FACES), 4), FACES)
    references = References.given(others, ["f"] * FACES, ["f"] * 10)
    texts = [index.text_embeddings(t, offered) for t in range(len(index.templates))]
    scores = NameScores(np.stack(texts), references.photos, study_backend().logit_scale or 100.0)
    trials = [references.trial(person, PHOTOS) for person in range(10)]
    found = scores.of(tested, lambda t, run: index.text_embeddings(t, ids[run]), trials)
    for person, each in enumerate(found):
        assert abs(each.likelihoods[0] - logs[0][person, places[person]]) < 1e-4
        assert np.abs(each.references - logs[1][:, places[person]]).max() < 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="keeps embeddings")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    place = arguments.work / "study.idia"
    if not place.exists():
        build_index(place, study_backend(), make_names(candidates()))
    index = open_index(place)
    rows = [row for sex in ("female", "male") for row in of_sex(sex, index, arguments.work)]
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

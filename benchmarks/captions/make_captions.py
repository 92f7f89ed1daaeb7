"""Captions of real names and words for the benchmarks: seeded, of any number."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pyarrow as pa
from pyarrow import parquet

from idia_index.prompts.sampling import sample_names

SCRIPTS = {  # names of twelve scripts, beside the Latin ones
    "Greek": "Γιώργος Παπαδόπουλος", "Cyrillic": "Иван Сидоров", "Armenian": "Արամ Խաչատրյան",
    "Hebrew": "דוד בן־גוריון", "Arabic": "محمد الفاتح", "Devanagari": "राम शर्मा",
    "Bengali": "রবীন্দ্রনাথ ঠাকুর", "Tamil": "சுப்பிரமணிய பாரதி", "Thai": "สมชาย ใจดี",
    "Han": "张伟", "Kana": "さくら もも子", "Hangul": "김철수",
}  # fmt: skip


def words() -> list[str]:
    """English words by how often they come in captions: CLIP's vocabulary, in its order."""
    path = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.decompress(path.read_bytes()).decode().split("\n")[1:48895]
    joined = [merge.replace(" ", "") for merge in merges]
    return [each[:-4] for each in joined if each.endswith("</w>") and each[:-4].isalpha()]


def captions(count: int, seed: int, names: list[str], share: float = 0.002) -> list[str]:
    """Captions of about 60 letters; `share` of them with one of the names, 15 % with another.

    A fifth have a dash between spaces, a twentieth a letter beyond ASCII.
    """
    rng = np.random.default_rng(seed)
    pool = np.array(words(), dtype=object)
    weights = 1 / np.arange(1, len(pool) + 1)
    lengths = rng.geometric(1 / 10, count) + 2
    drawn = pool[rng.choice(len(pool), lengths.sum(), p=weights / weights.sum())]
    others = sample_names(20_000, seed + 1, weighted=True).names()
    ends = np.cumsum(lengths)
    made = []
    for k in range(count):
        text = drawn[ends[k] - lengths[k] : ends[k]].tolist()
        kind = rng.random()
        if kind < share:
            text.insert(len(text) // 2, names[int(rng.integers(len(names)))])
        elif kind < 0.15:
            text.insert(0, others[int(rng.integers(len(others)))])
        line = " ".join(text)
        if 0.4 < kind < 0.6:
            line = line.replace(" ", " - ", 1)
        if 0.4 < kind < 0.45:
            line = line.replace("e", "é", 1) + " – 2020’s"
        made.append(line[:1].upper() + line[1:])
    return made


def write(texts: list[str], path: Path, first: int = 0) -> None:
    """As LAION's parquet: URL and TEXT."""
    urls = [f"https://example.org/images/{first + k:012}.jpg" for k in range(len(texts))]
    parquet.write_table(pa.table({"URL": urls, "TEXT": texts}), path)


def odd_captions(count: int, seed: int, names: list[str]) -> Iterator[str]:
    """Captions in which names stand in every variant, near misses too."""
    rng = np.random.default_rng(seed)
    pool = words()[:3000]
    forms = (
        str, str.upper, str.lower, lambda n: n.replace(" ", "-"), lambda n: n.replace(" ", "_"),
        lambda n: n + "'s", lambda n: n + "’s", lambda n: ", ".join(n.split(" ", 1)[::-1]),
        lambda n: n.replace("e", "é"), lambda n: n + "son", lambda n: "x" + n,
        lambda n: n.replace(" ", "  "), lambda n: n.replace(" ", "%20"), lambda n: n[:-1],
    )  # fmt: skip
    for _ in range(count):
        text = [pool[int(k)] for k in rng.integers(len(pool), size=int(rng.integers(2, 9)))]
        if rng.random() < 0.3:
            name = names[int(rng.integers(len(names)))]
            text.insert(int(rng.integers(len(text))), forms[int(rng.integers(len(forms)))](name))
        yield " ".join(text)


def odd_names(count: int) -> list[str]:
    """Names in twelve scripts and Latin, some of them parts of others."""
    latin = sample_names(count, 9, weighted=True)
    firsts = [name.first for name in latin[: count // 20]]
    found = [
        *SCRIPTS.values(),
        *firsts,
        "José López",
        "Jose Lopez",
        "Zoë O'Brien",
        "Anne-Marie Roux",
    ]
    found += [f"{name} II" for name in SCRIPTS.values()]
    found += latin.names()
    return list(dict.fromkeys(found))[:count]

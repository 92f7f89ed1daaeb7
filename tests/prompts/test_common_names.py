"""The paper's candidates against pandas, which drew them, and NumPy's own quicksort."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_training import name_pools

from idia_index.errors import InputError
from idia_index.prompts.common_names import (
    CommonNames,
    draw_common,
    fill_count,
    packaged_names,
)
from idia_index.prompts.name_lists import read_common_names
from idia_index.prompts.names import name_key
from idia_index.prompts.quicksort import ascending_order
from idia_index.prompts.sampling import load_pool

SORTING = """
import json, sys
import numpy as np
print(json.dumps([np.argsort(v, kind="quicksort").tolist() for v in json.load(sys.stdin)]))
"""


def run_plain(arguments: Sequence[str], text: str = "") -> str:
    """Runs Python with a NumPy that uses no instructions beyond its baseline."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        input=text, env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def make_lists(folder: Path) -> tuple[Path, Path]:
    """Files in the layout of the authors' lists, with years, repeats, ties and names of both."""
    pool, rng = load_pool("us"), np.random.default_rng(5)
    firsts = ["year,name,percent,sex"]
    for year in (1880, 1881):
        for word, names in (("boy", pool.firsts["m"].names), ("girl", pool.firsts["f"].names)):
            others = pool.firsts["f" if word == "boy" else "m"].names[:40]
            for name in (*names[:1100], *others):
                # Few different shares, as in the source, where many names tie.
                firsts.append(f'{year},"{name}",{rng.integers(1, 400) / 10**6:.6f},"{word}"')
    lasts = ['SURNAME,RANK,FREQUENCY (COUNT),"PROPORTION PER 100,000 POPULATION"']
    lasts += [
        f'{name.upper()},{rank},"{9_000_000 - rank:,}",{rank / 10}'
        for rank, name in enumerate(pool.lasts.names[:1000], 1)
    ]
    lasts.append("NOTES,,,")
    first_file, last_file = folder / "firsts.csv", folder / "surnames.csv"
    first_file.write_text("\n".join(firsts) + "\n", encoding="utf-8")
    last_file.write_text("\n".join(lasts) + "\n", encoding="utf-8")
    return first_file, last_file


DRAWINGS = [(people, seed) for people in (548, 530) for seed in (42, 0, 7)]


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[CommonNames, list[Any]]:
    """Lists of names and, for each drawing, its people, those of them called what is drawn (which
    could be in the paper, too), and what pandas draws: all in one process."""
    pytest.importorskip("pandas")
    first_file, last_file = make_lists(tmp_path_factory.mktemp("lists"))
    lists = read_common_names(first_file, last_file, 1000)
    jobs = []
    for people, seed in DRAWINGS:
        taken = [draw_common(lists, 226, seed).drawn[i] for i in (3, 77, 300)]
        told = [f"Person_{n} Number {n}" for n in range(people - len(taken))] + taken
        jobs.append((told, taken, seed))
    program = str(Path(__file__).parents[1] / "pandas_names.py")
    folders = [([t.replace(" ", "_") for t in told], seed) for told, _, seed in jobs]
    asked = json.dumps(folders)
    wanted = json.loads(run_plain([program, str(first_file), str(last_file), "1000"], asked))
    return lists, [(*job[:2], names) for job, names in zip(jobs, wanted, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(("people", "seed"), DRAWINGS)
def test_candidates_are_those_that_pandas_draws(drawn: Any, people: int, seed: int) -> None:
    lists, drawings = drawn
    told, taken, wanted = drawings[DRAWINGS.index((people, seed))]
    clean = [t.replace("_", " ") for t in told]
    sample = draw_common(lists, fill_count(1000, people), seed, people=clean)
    assert [*clean, *sample.drawn] == wanted
    assert len(sample.drawn) == {548: 452, 530: 470}[people]
    once = list({name_key(name): name for name in reversed(wanted)}.values())[::-1]
    assert set(clean) | set(sample.names) == set(once)
    assert set(taken) <= set(sample.repeated)


def test_equal_numbers_are_ordered_as_by_numpys_quicksort() -> None:
    rng = np.random.default_rng(1)
    cases = [
        (rng.integers(0, values, n) / 1000).tolist()
        for n in (0, 1, 2, 16, 17, 18, 100, 3000)
        for values in (1, 2, 30, 400, 10**6)
    ]
    cases += [sorted(cases[-2]), sorted(cases[-2], reverse=True)]
    wanted = json.loads(run_plain(["-c", SORTING], json.dumps(cases)))
    for values, order in zip(cases, wanted, strict=True):
        assert ascending_order(values) == order


def test_packaged_lists_are_the_most_common_names() -> None:
    lists = packaged_names("us", 1000)
    assert lists.pairs("f") == lists.pairs("m") == 10**6
    assert lists.firsts["m"][0] == "James" and lists.lasts[:2] == ("Smith", "Johnson")
    weights = load_pool("us").lasts.weights
    assert (np.diff(weights) <= 0).all()
    with pytest.raises(InputError, match="origin 'us': 1146 first names of sex 'm'"):
        packaged_names("us", 2000)


def test_a_sample_says_what_it_is_of() -> None:
    firsts = name_pools()
    lists = CommonNames({"f": tuple(firsts["female"]), "m": tuple(firsts["male"])}, ("A", "B"),
                        {"first_names": {"list": "x"}, "surnames": {"list": "y"}})  # fmt: skip
    everything = draw_common(lists, 200, 3)
    assert sorted(everything.names) == sorted(
        f"{first} {last}" for sex in "fm" for first in lists.firsts[sex] for last in lists.lasts
    )
    other = draw_common(lists, 200, 4)
    assert set(other.names) == set(everything.names) and other.names != everything.names
    recipe = draw_common(lists, 5, 42, people=[everything.names[0]]).recipe
    assert (
        recipe["n"] == 10 and recipe["seed"] == 42 and recipe["lists"]["surnames"] == {"list": "y"}
    )
    for wrong in ((201, 0), (1, -1), (1, 2**32)):
        with pytest.raises(InputError):
            draw_common(lists, *wrong)


@pytest.mark.parametrize(
    ("people", "each"), [(548, 226), (530, 235), (999, 0), (1000, 0), (1200, 0)]
)
def test_as_many_of_each_sex_fill_up(people: int, each: int) -> None:
    assert fill_count(1000, people) == each


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,percent\nAnn,1\n", "needs the columns name and sex"),
        ("name,sex,percent\nAnn,x,1\n", "line 2: needs a name and a sex"),
        ("name,sex,percent\n,f,1\n", "line 2: needs a name and a sex"),
        ("name,sex,percent\nAnn,f,many\n", "line 2: 'many' is no frequency"),
        ("name,sex,percent\nAnn,f,nan\n", "line 2: 'nan' is no frequency"),
        ('name,sex,percent\n"Ann,f,1\n', "line 2: its quotes do not close"),
        ("name,sex\nAnn,f\nBob,m\n", "1 first names of sex 'f', fewer than 2"),
    ],
)
def test_lists_that_do_not_fit(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "firsts.csv").write_text(text)
    (tmp_path / "lasts.txt").write_text("SMITH\nMcDonald\n")
    with pytest.raises(InputError, match=told):
        read_common_names(tmp_path / "firsts.csv", tmp_path / "lasts.txt", 2)


def test_lists_in_order_and_surnames_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "firsts.csv").write_text("Name,Sex\nBea,girl\nBob,Male\nAnn,F\nAl,m\nBea,f\n")
    (tmp_path / "lasts.txt").write_text("SMITH\nMcDonald\nO'NEAL\n")
    lists = read_common_names(tmp_path / "firsts.csv", tmp_path / "lasts.txt", 2)
    assert lists.firsts == {"f": ("Bea", "Ann"), "m": ("Bob", "Al")}
    assert lists.lasts == ("Smith", "McDonald")
    assert lists.sources["surnames"]["names"] == 3

"""`build --sample-names --top`: the paper's candidates for any subjects."""

from __future__ import annotations

from pathlib import Path

import pytest

from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.pipelines.candidates import Drawing, all_candidates
from idia_index.prompts.common_names import draw_common, packaged_names
from idia_index.prompts.names import make_names
from idia_index.search.open import open_index

FIRSTS = "name,sex,percent\nAnn,f,3\nBea,f,2\nAl,m,2\nBob,m,1\nCy,m,9\n"


@pytest.mark.usefixtures("toy_plugin")
def test_an_index_records_how_its_names_were_drawn(tmp_path: Path) -> None:
    (tmp_path / "firsts.csv").write_text(FIRSTS)
    (tmp_path / "lasts.txt").write_text("SMITH\nJONES\n")
    (tmp_path / "names.txt").write_text("Cy Smith\nJane Doe\n")
    build = ["build", str(tmp_path / "i"), "--backend", "toy", "--model", "toy",
             "--names", str(tmp_path / "names.txt"), "--sample-names", "8", "--top", "2",
             "--first-names", str(tmp_path / "firsts.csv"),
             "--surnames", str(tmp_path / "lasts.txt")]  # fmt: skip
    assert run_command(build, debug=False) == 0
    index = open_index(tmp_path / "i")
    names = list(index.names)
    pairs = {
        f"{first} {last}" for first in ("Ann", "Bea", "Cy", "Al") for last in ("Smith", "Jones")
    }
    assert names[:2] == ["Cy Smith", "Jane Doe"] and set(names[2:]) == pairs - {"Cy Smith"}
    pool = index.manifest.plan.pool
    assert pool is not None
    assert pool["algorithm"] == "jair2024 names/1" and pool["seed"] == 42 and pool["n"] == 8
    assert pool["repeated"] == ["Cy Smith"]
    assert pool["lists"]["first_names"]["list"].startswith("firsts.csv sha256:")


def test_the_packages_lists_are_the_default() -> None:
    people = make_names(["Jane Doe"])
    names, recipe = all_candidates(people, Drawing(100, seed=9, top=50))
    drawn = draw_common(packaged_names("us", 50), 50, 9, people=people)
    assert list(names) == ["Jane Doe", *drawn.names] and recipe == drawn.recipe


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--top", "3"], "need --sample-names N, the number of names to draw"),
        (["--sample-names", "3", "--surnames", "x"], "pass both lists, or neither"),
        (["--sample-names", "3", "--top", "3", "--weighted"], "--weighted with --top"),
        (["--sample-names", "30", "--top", "3"], "15 names of sex 'f': the lists make 9"),
    ],
)
@pytest.mark.usefixtures("toy_plugin")
def test_options_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    build = ["build", str(tmp_path / "i"), "--backend", "toy", "--model", "toy", *options]
    assert run_command(build, debug=False) == 2
    assert told in capsys.readouterr().err


def test_a_drawing_needs_both_lists() -> None:
    with pytest.raises(InputError, match="pass both lists"):
        Drawing(3, first_names=Path("x"))

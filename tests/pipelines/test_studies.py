"""The paper's studies as recipes: what they hold, and a dry run end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import make_images
from toy_backend import ToyBackend

from idia_index.cli.main import cli
from idia_index.errors import InputError
from idia_index.pipelines.studies import candidate_names, find_images, read_recipe
from idia_index.prompts.names import name_key
from idia_index.prompts.sampling import load_pool
from idia_index.subjects.subjects import MEMBER, NON_MEMBER


def test_the_recipes_are_those_of_the_paper() -> None:
    laion, cc3m = read_recipe("laion400m"), read_recipe("cc3m")
    assert len(laion.people) == 548 and len(cc3m.people) == 200
    assert sum(p.membership == NON_MEMBER for p in laion.people) == 8
    assert sum(p.membership == MEMBER for p in cc3m.people) == 100
    kept = [p for p in laion.people if p.training_count is not None and p.training_count < 300]
    assert len(kept) == 173
    for recipe in (laion, cc3m):
        settings = recipe.settings
        assert settings.sizes == (*range(1, 30, 2), 30)
        assert (settings.tau, settings.draws, settings.min_images) == (1, 20, 30)
        assert recipe.candidates == 1000
    assert laion.settings.max_training_count == 299


def test_candidates_are_everybody_under_test_and_drawn_names_of_both_sexes() -> None:
    recipe = read_recipe("cc3m")
    names = candidate_names(recipe, recipe.people)
    assert len(names) == len({name_key(name) for name in names}) == 1000
    assert names[:200] == [person.name for person in recipe.people]
    women = set(load_pool("us").firsts["f"].names)
    drawn = names[200:]
    assert sum(name.split()[0] in women for name in drawn) == 400
    assert candidate_names(recipe, recipe.people) == names


def test_images_are_found_by_name_and_the_missing_are_told(tmp_path: Path) -> None:
    recipe = read_recipe("laion400m")
    make_images(tmp_path / "Harriet_Herbig-Matten", 2)
    make_images(tmp_path / "karolina_lodyga", 3)
    make_images(tmp_path / "Somebody_Else", 1)
    found, missing = find_images(recipe, tmp_path)
    assert [(p.name, len(p.images), p.membership) for p in found] == [
        ("Karolina Lodyga", 3, NON_MEMBER), ("Harriet Herbig-Matten", 2, NON_MEMBER)
    ]  # fmt: skip
    assert len(missing) == 546
    with pytest.raises(InputError, match="holds a folder of nobody in this study"):
        find_images(read_recipe("cc3m"), tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [("x", "not the recipe"), ("[study]\ntitle = a", "not the recipe"),
     ("[study]\ntitle = a\npeople = p.csv\ntau = many", "not the recipe")],
)  # fmt: skip
def test_a_recipe_that_does_not_fit(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.ini").write_text(text)
    with pytest.raises(InputError, match=rf"own\.ini: {told}"):
        read_recipe(str(tmp_path / "own.ini"))
    (tmp_path / "own.ini").write_text("[study]\ntitle = a\npeople = p.csv\n")
    head = "name,membership,training_count\n"
    for line in (",member,1", "A B,Member,1", "A B,member,-1", "A B,member,x", '"A'):
        (tmp_path / "p.csv").write_text(f"{head}{line}\n")
        with pytest.raises(InputError, match=r"own\.ini: not the recipe of a study"):
            read_recipe(str(tmp_path / "own.ini"))
    with pytest.raises(InputError, match="give one of laion400m, cc3m"):
        read_recipe("laion5b")


def test_a_dry_run_goes_from_end_to_end_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.cli.study.study_backend", lambda: ToyBackend(model="toy"))
    arguments = ["study", "cc3m", "--dry-run", "--dry-images", "2", "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["warnings"][0].startswith("Dry run: the portraits were generated")
    assert data["evaluation"]["people"]["members"] == 100
    page = (tmp_path / "o" / "report" / "index.html").read_text(encoding="utf-8")
    assert page.index("Dry run") < page.index("associates")
    wrong = CliRunner().invoke(cli, ["study", "cc3m", "--out", str(tmp_path / "o")])
    assert isinstance(wrong.exception, InputError)


def test_reports_of_a_study_keep_its_warnings_and_its_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.cli.study.study_backend", lambda: ToyBackend(model="toy"))
    monkeypatch.setattr("idia_index.cli.replay.backend_of", lambda *_: ToyBackend(model="toy"))
    out = str(tmp_path / "o")
    run = CliRunner().invoke
    assert run(cli, ["study", "cc3m", "--dry-run", "--dry-images", "1", "--out", out]).output
    again = run(cli, ["evaluate", "--from", f"{out}/report", "--json", "--min-images", "1",
                      "--sample-sizes", "1"])  # fmt: skip
    warnings = json.loads(again.stdout)["warnings"]
    assert warnings[0].startswith("Dry run") and warnings[1].startswith("100 people are non-memb")
    held = run(cli, ["replay", f"{out}/report", "--json"])
    assert json.loads(held.stdout)["exact"], held.output
    report = tmp_path / "o" / "report" / "report.json"
    for change, where in (
        (lambda d: d["subjects"][7].update(membership="non_member"), "subjects[{}].membership"),
        (lambda d: d["subjects"].pop(7), "subjects[{}]"),
        (lambda d: d["warnings"].clear(), "warnings[1]"),
    ):
        data = json.loads(report.read_text())
        name = data["subjects"][7]["name"]
        change(data)
        (tmp_path / "o" / "report" / "changed.json").write_text(json.dumps(data))
        told = run(cli, ["replay", f"{out}/report/changed.json", "--json"])
        places = {each["where"] for each in json.loads(told.stdout)["differences"]}
        assert where.format(name) in places and told.exit_code == 1

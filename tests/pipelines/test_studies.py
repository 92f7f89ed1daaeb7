"""The paper's studies: their content, their candidates, and invalid study files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import make_images
from own_study import write_study

from idia_index.errors import InputError
from idia_index.pipelines.studies.definition import STUDIES, read_study, with_lists
from idia_index.pipelines.studies.models import activation_note, parse_models
from idia_index.pipelines.studies.photos import find_photos
from idia_index.pipelines.studies.pool import paper_pool, pool_of_tested
from idia_index.prompts.common_names import packaged_names
from idia_index.prompts.names import name_key
from idia_index.subjects.subjects import MEMBER, NON_MEMBER


def test_the_studies_are_those_of_the_paper() -> None:
    laion, cc3m = (read_study(name) for name in STUDIES)
    assert len(laion.people) == len(laion.competitors) == 548
    assert len(cc3m.people) == 200 and len(cc3m.competitors) == 530
    assert set(cc3m.competitors) < set(laion.competitors)
    assert sum(p.membership == NON_MEMBER for p in laion.people) == 8
    assert sum(p.membership == MEMBER for p in cc3m.people) == 100
    kept = [p for p in laion.people if p.training_count is not None and p.training_count < 300]
    assert len(kept) == 173
    for study in (laion, cc3m):
        settings = study.settings
        assert settings.sizes == (*range(1, 30, 2), 30)
        assert (settings.tau, settings.draws, settings.min_images) == (1, 20, 30)
    assert laion.settings.max_training_count == 299 and laion.settings.bins is not None
    assert laion.settings.bins[5:8] == (125, 150, 200) and laion.settings.bins[-1] == 300


@pytest.mark.parametrize(("name", "people"), [("laion400m", 548), ("cc3m", 530)])
def test_everybody_of_the_folders_competes(name: str, people: int) -> None:
    pool = paper_pool(read_study(name))
    drawn = pool.names[people:]
    assert pool.people == people and len({name_key(n) for n in pool.names}) == len(pool.names)
    assert len(pool.names) + len(pool.recipe["repeated"]) == 1000
    lists = packaged_names("us", 1000)
    women = set(lists.firsts["f"])
    each = (1000 - people) // 2
    assert {n.split(" ")[1] for n in drawn} <= set(lists.lasts)
    assert sum(n.split(" ")[0] in women for n in drawn[:each]) > each - 5
    more = paper_pool(read_study(name), ["Somebody Else", "Sam Rockwell"])
    assert more.people == people + 1 and more.names[people] == "Somebody Else"


def test_candidates_may_be_those_under_test_alone() -> None:
    study = read_study("cc3m")
    pool = pool_of_tested(study, [p.name for p in study.people])
    assert len(pool.names) == 1000 and pool.people == 200
    assert "differs from the paper's rule" in pool.told[0]


def test_photos_are_found_in_several_folders_and_by_corrected_names(tmp_path: Path) -> None:
    study = read_study("laion400m")
    make_images(tmp_path / "a" / "Harriet_Herbig-Matten", 2)
    make_images(tmp_path / "a" / "karolina_lodyga", 3)
    make_images(tmp_path / "a" / "Somebody_Else", 1)
    (tmp_path / "a" / "Malu_Leicher").mkdir()
    for wrong in ("Freddy_Prinze_Jr.", "Leslie_Neilsen", "Robert_Di_Niro", "Tatyana_M._Ali"):
        make_images(tmp_path / "b" / wrong, 1)
    photos = find_photos(study, [tmp_path / "a", tmp_path / "b"])
    assert [(p.name, len(p.images), p.membership) for p in photos.subjects[:2]] == [
        ("Karolina Lodyga", 3, NON_MEMBER), ("Harriet Herbig-Matten", 2, NON_MEMBER)
    ]  # fmt: skip
    assert {p.name for p in photos.subjects[2:]} == {
        "Freddie Prinze Jr", "Leslie Nielsen", "Robert De Niro", "Tatyana Ali"
    }  # fmt: skip
    assert len(photos.missing) == 548 - 6 and photos.others == ("Somebody Else",)
    reasons = {m.person.name: m.reason for m in photos.missing}
    assert "has no image" in reasons["Malu Leicher"] and "no folder" in reasons["Adam Brody"]
    with pytest.raises(InputError, match="no folder with photos of anybody in this study"):
        find_photos(read_study("cc3m"), [tmp_path / "a"])
    make_images(tmp_path / "b" / "Karolina_Lodyga", 1)
    with pytest.raises(
        InputError, match=r"'Karolina Lodyga' has photos in .*a/karolina_lodyga too"
    ):
        find_photos(study, [tmp_path / "a", tmp_path / "b"])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"title": None}, "the study has no 'title'"),
    ({"format": "idia-index/study/9"}, "format is 'idia-index/study/9'"),
    ({"people": 3}, "'people' of the study is '3'"),
    ({"tau": 1}, "the study has 'tau', which is not a key"),
    ({"evaluation": {"tau": True}}, "'tau' of 'evaluation' is 'True'"),
    ({"evaluation": {"draws": "many"}}, "'draws' of 'evaluation' is 'many'"),
    ({"candidates": {"totals": 3}}, "'candidates' has 'totals'"),
    ({"models": [{"label": "x"}]}, "a model has no 'as_published'"),
    ({"candidates": []}, "'candidates' of the study is"),
]


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_a_study_file_that_does_not_fit(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=rf"own\.json: not a study file \({told}"):
        read_study(str(write_study(tmp_path, **change)))


@pytest.mark.parametrize("change", [change for change, _ in WRONG])
def test_the_schema_refuses_the_same(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = Path(__file__).parents[2] / "idia_index" / "data" / "studies"
    schema = json.loads((folder / "study.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    for name in STUDIES:
        check.validate(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    check.validate(json.loads(write_study(tmp_path).read_text()))
    assert not check.is_valid(json.loads(write_study(tmp_path, **change).read_text()))


def test_people_of_a_study_that_do_not_fit(tmp_path: Path) -> None:
    file = write_study(tmp_path)
    head = "name,membership,training_count\n"
    for line in (
        ",member,1",
        "A B,Member,1",
        "A B,member,-1",
        "A B,member,x",
        '"A',
        "A B,,\na b,,",
    ):
        (tmp_path / "people.csv").write_text(f"{head}{line}\n")
        with pytest.raises(InputError, match=r"own\.json: not a study file"):
            read_study(str(file))
    with pytest.raises(InputError, match="choose one of laion400m, cc3m"):
        read_study("laion5b")
    with pytest.raises(InputError, match="pass both lists"):
        with_lists(read_study("cc3m"), tmp_path / "people.csv", None)


def test_models_have_labels_groups_and_counts() -> None:
    laion, cc3m = (read_study(name) for name in STUDIES)
    models = parse_models(laion, ["ViT-B-32/laion400m_e32", "x=local-dir:/a=b"], "as-trained")
    assert [(m.label, m.spec, m.count) for m in models] == [
        ("ViT-B-32", "ViT-B-32-quickgelu/laion400m_e32", None), ("x", "local-dir:/a=b", None)
    ]  # fmt: skip
    (published,) = parse_models(laion, ["ViT-B-32-quickgelu/laion400m_e32"], "as-published")
    assert published.spec == "ViT-B-32/laion400m_e32"
    models = parse_models(cc3m, ["RN50:75=RN50/a.pt", "5=RN50/b.pt"], "as-trained")
    assert [(m.label, m.group, m.count) for m in models] == [("RN50:75", "RN50", 75), ("5", "", 5)]
    assert [m.label for m in parse_models(cc3m, ["local-dir:/x/y/"], "as-trained")] == ["y"]
    for wrong in (["a=x", "A=y"], ["<x>=y"]):
        with pytest.raises(InputError, match="--model"):
            parse_models(laion, wrong, "as-trained")
    for wrong in (["big=x"], ["RN50/a.pt", "75=b"]):
        with pytest.raises(InputError, match="number of training images"):
            parse_models(cc3m, wrong, "as-trained")


def test_reports_say_which_activation(tmp_path: Path) -> None:
    laion, own = read_study("laion400m"), read_study(str(write_study(tmp_path)))
    assert "published figures of ViT-B-32/laion400m_e32" in activation_note(laion, "as-trained")
    assert "ViT-B-32/laion400m_e32" in activation_note(laion, "as-published")
    assert "others are refused" in activation_note(own, "as-trained")

"""Two models compared, against audits of each, scipy, and people of known truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from document_places import check_numbers_have_places
from forgetful_backend import ForgetfulBackend
from scipy import stats
from toy_world import CROWD, MEMBERS, NON_MEMBERS, make_people, name_of

import idia_index.registry
from idia_index import AuditResult, audit, build_index, open_index, read_subjects
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.pipelines.comparing import Asked, compare
from idia_index.prompts.names import make_names
from idia_index.report.comparison import Comparison

FORGET = [0, 4, 8, 9, 13, 17]  # two of each strength


def quiet(stage: str, done: int, total: int) -> None:
    pass


def model(label: str, forgotten: list[int]) -> ForgetfulBackend:
    return ForgetfulBackend(model=f"{label}/" + "+".join(f"Person{i}" for i in forgotten))


@dataclass(frozen=True)
class World:
    folder: Path

    def asked(self, before: str, after: str, **options: object) -> Asked:
        paths = {"forget": self.folder / "forget.txt", **options}
        return Asked(str(self.folder / before), str(self.folder / after), **paths)  # type: ignore[arg-type]

    def compare(self, before: str, after: str, **options: object) -> Comparison:
        people = read_subjects(self.folder / "people" / "people.csv")
        return compare(self.asked(before, after, **options), people, None, quiet)

    def audit(self, index: str) -> AuditResult:
        opened = open_index(self.folder / index)
        backend = ForgetfulBackend(model=opened.manifest.plan.model)
        return audit(opened, backend, read_subjects(self.folder / "people" / "people.csv"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("compared")
    make_people(folder / "people")
    names = make_names([name_of(i) for i in range(MEMBERS + NON_MEMBERS + CROWD)])
    for index, backend in {
        "before": model("a", []), "again": model("b", []), "forgot": model("c", FORGET),
        "retrained": model("d", FORGET),
    }.items():  # fmt: skip
        build_index(folder / index, backend, names)
    build_index(folder / "fewer", model("e", []), names[:100])
    (folder / "forget.txt").write_text("".join(f"{name_of(i)}\n" for i in FORGET))
    (folder / "stranger.txt").write_text("Nobody Known\n")
    return World(folder)


@pytest.fixture
def world(made: World, monkeypatch: pytest.MonkeyPatch) -> World:
    plain = idia_index.registry.load_plugin
    monkeypatch.setattr(
        idia_index.registry, "load_plugin",
        lambda group, name: ForgetfulBackend if name == "forgetful" else plain(group, name),
    )  # fmt: skip
    return made


@pytest.mark.slow
def test_each_person_is_what_two_audits_say(world: World) -> None:
    result = world.compare("before", "forgot")
    before, after = world.audit("before"), world.audit("forgot")
    words = {(True, True): "still associated", (True, False): "no longer",
             (False, True): "newly", (False, False): "never"}  # fmt: skip
    assert len(result.people) == len(before.subjects)
    for person, a, b in zip(result.people, before.subjects, after.subjects, strict=True):
        assert person.name == a.name == b.name
        assert person.status == words[a.inferred_member, b.inferred_member]
        assert (person.correct_prompts_before, person.correct_prompts_after) == (
            a.correct_prompts, b.correct_prompts,
        )  # fmt: skip
        assert (person.margin_before, person.margin_after) == (a.margin, b.margin)
        assert (person.p_value_before, person.pmi_after) == (a.control_p_value, b.pmi)
    groups = {p.name: p.group for p in result.people}
    assert {groups[name_of(i)] for i in FORGET} == {"forget"}
    assert groups[name_of(1)] == "retain" and groups[name_of(MEMBERS)] == "others"


@pytest.mark.slow
def test_groups_and_the_main_test_are_those_of_scipy(world: World) -> None:
    result = world.compare("before", "forgot")
    for name, group in result.groups.items():
        own = [p for p in result.people if p.group == name]
        assert group.people == len(own)
        lost = sum(p.status == "no longer" for p in own)
        gained = sum(p.status == "newly" for p in own)
        expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
        assert group.mcnemar_p == pytest.approx(expected)
        assert group.tpr_drop == pytest.approx((lost - gained) / len(own))
        assert group.tpr_drop_ci95[0] <= group.tpr_drop <= group.tpr_drop_ci95[1]
        small = stats.false_discovery_control([p.p_value_after for p in own]) <= 0.05 + 1e-12
        assert group.stand_out_after == small.sum()
    moved: dict[str, list[float]] = {"forget": [], "retain": [], "others": []}
    for p in result.people:
        moved[p.group].append((p.pmi_after or 0) - (p.pmi_before or 0))
    assert result.test is not None and result.test.score == "pmi"
    expected = stats.mannwhitneyu(moved["forget"], moved["retain"], method="exact")
    assert result.test.p_value == pytest.approx(expected.pvalue)
    assert result.test.different and result.test.probability_lower > 0.9
    assert result.groups["forget"].no_longer >= 4
    assert result.groups["forget"].still_associated <= 1  # one may be found by chance
    assert result.groups["retain"].no_longer <= 2


@pytest.mark.slow
def test_another_training_of_the_same_data_is_not_called_different(world: World) -> None:
    result = world.compare("before", "again")
    assert result.test is not None and not result.test.different
    assert result.groups["forget"].no_longer == 0


@pytest.mark.slow
def test_the_reference_tells_a_model_that_forgot_from_one_that_did_not(world: World) -> None:
    reference = str(world.folder / "retrained")
    forgot = world.compare("before", "forgot", reference=reference).reference
    still = world.compare("before", "again", reference=reference).reference
    assert forgot is not None and forgot.test is not None and not forgot.test.different
    assert still is not None and still.test is not None and still.test.different
    assert still.test.probability_lower < 0.1  # they score higher than on the reference
    assert still.test.detectable is not None


@pytest.mark.slow
def test_without_anybody_to_forget_there_is_one_group(world: World) -> None:
    result = world.compare("before", "again", forget=None)
    assert list(result.groups) == ["all"] and result.test is None


@pytest.mark.parametrize(
    "before,after,options,said",
    [
        ("before", "before", {}, "are the same model"),
        ("before", "fewer", {}, "have different candidate names"),
        ("before", "again", {"forget": "stranger.txt"}, "'Nobody Known' is not among SUBJECTS"),
        ("before", "again", {"retain": "forget.txt"}, "both name 'Mary Person0'"),
        ("before", "again", {"forget": None, "reference": "x"}, "as --forget"),
        ("before", "again", {"equivalence": 0.0}, "--equivalence 0:"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    world: World, before: str, after: str, options: dict[str, object], said: str
) -> None:
    files = {key: world.folder / str(value) for key, value in options.items()}
    paths = {k: files[k] if str(v).endswith(".txt") else v for k, v in options.items()}
    with pytest.raises(InputError) as caught:
        world.compare(before, after, **paths)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def command(world: World, *arguments: object) -> int:
    at = world.folder
    fixed = ["compare", at / "before", at / "forgot", at / "people" / "people.csv"]
    whole = (*fixed, "--forget", at / "forget.txt", *arguments)
    return run_command([str(each) for each in whole], False)


@pytest.mark.slow
def test_the_command_writes_document_table_and_page(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(world, "--json", "--out", tmp_path / "out") == 0
    document = json.loads(capsys.readouterr().out)
    schema = Path(__file__).parents[2] / "docs" / "schema" / "comparison.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert document == json.loads((tmp_path / "out" / "report.json").read_text())
    check_numbers_have_places(document, Comparison)
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<circle") == 2 * len(document["people"])
    assert "It does not show that anything was deleted" in page
    asked = [person for person in document["people"] if person["group"] == "forget"]
    by = [
        sum(person[f"correct_prompts_{when}"] >= 1 for person in asked)
        for when in ("before", "after")
    ]
    assert (
        f"Of {len(asked)} people to forget, the model before associates {by[0]} with their names, "
        f"the model after {by[1]}."
    ) in page
    lines = (tmp_path / "out" / "people.csv").read_text().splitlines()
    assert len(lines) == 1 + len(document["people"])


@pytest.mark.slow
def test_a_rule_that_fails_ends_with_3_and_says_so_in_every_file(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = ["--fail-on", "forget.still_associated>1", "--fail-on", "retain.people > 3"]
    files = ["--junit", tmp_path / "j.xml", "--sarif", tmp_path / "s.sarif"]
    assert command(world, *rules, *files) == 3
    error = capsys.readouterr().err.splitlines()[-1]
    assert "1 rule of 2 failed: retain.people > 3: the value is 18" in error
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [len(case) for case in suite] == [0, 1]
    (result,) = json.loads((tmp_path / "s.sarif").read_text())["runs"][0]["results"]
    assert "retain.people > 3" in result["message"]["text"]
    assert command(world, "--fail-on", "forget.still_associated>1") == 0
    capsys.readouterr()
    assert command(world, "--fail-on", "all.newly>0") == 2
    error = capsys.readouterr().err
    assert "groups with people: forget, others, retain" in error and len(error.splitlines()) == 1


@pytest.mark.slow
def test_margins_of_both_groups_are_covered_by_their_interval(world: World) -> None:
    result = world.compare("before", "again")
    for name, group in result.groups.items():
        moved = [p.margin_after - p.margin_before for p in result.people if p.group == name]
        low, high = group.margin_change_ci95 or (np.nan, np.nan)
        assert low <= np.mean(moved) <= high
        student = stats.t.interval(0.95, len(moved) - 1, np.mean(moved), stats.sem(moved))
        assert low <= student[0] + 1e-12 and high >= student[1] - 1e-12

"""Groups of people: Stouffer's combination, its power, and how tables define groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from scipy import stats
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.evaluation.groups import combined_p, group_power, group_tests, normal_scores
from idia_index.pipelines.planning import Wanted, non_members_for_power, plan
from idia_index.pipelines.powers import group_powers
from idia_index.prompts.names import make_names
from idia_index.subjects.subject_table import read_groups


def test_a_group_is_combined_as_scipy_does() -> None:
    random = np.random.default_rng(1)
    controls = np.full(30, 199)
    p = random.integers(1, 200, 30) / 200
    names = [f"N {i}" for i in range(30)]
    groups = {name: "ab"[i % 2] for i, name in enumerate(names) if i != 4}
    found = {test.group: test for test in group_tests(names, groups, p, controls)}
    for group in "ab":
        here = [i for i, name in enumerate(names) if groups.get(name) == group]
        expected = stats.combine_pvalues(p[here], method="stouffer").pvalue
        assert found[group].p_value == pytest.approx(expected)
        assert found[group].people == len(here)
    ordered = sorted(test.p_value for test in found.values())
    q = sorted(test.q_value for test in found.values())
    assert q == pytest.approx([min(2 * ordered[0], ordered[1]), ordered[1]])


def test_a_p_value_of_one_ends_nothing() -> None:
    scores = normal_scores(np.array([1.0, 0.01]), np.array([99, 99]))
    assert np.isfinite(scores).all() and scores[0] == pytest.approx(stats.norm.isf(1 - 1 / 200))
    assert group_tests(["A"], {"A": "x"}, np.ones(1), np.zeros(1, np.int64)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("people", [2, 5, 20])
def test_ten_thousand_null_groups_raise_few_false_alarms(people: int) -> None:
    random = np.random.default_rng(people)
    controls = np.full(people, 249)
    alarms = sum(
        combined_p(normal_scores(random.integers(1, 251, people) / 250, controls)) <= 0.01
        for _ in range(10_000)
    )
    assert alarms / 10_000 <= 0.013


def test_the_power_is_that_of_simulated_groups() -> None:
    random = np.random.default_rng(3)
    sums = (0.5 + 0.9 * random.standard_normal((40_000, 12))).sum(axis=1) / np.sqrt(12)
    assert group_power(12, 0.5, 0.9) == pytest.approx(
        (sums >= stats.norm.isf(0.01)).mean(), abs=0.01
    )
    one = group_powers(20, 0.9)[0]
    assert one.people_needed and group_power(one.people_needed, 0.76, 0.96) >= 0.9


@pytest.mark.slow
def test_the_plan_says_what_a_claim_takes_to_succeed() -> None:
    for true_rate in (0.002, 0.005):
        people = non_members_for_power(0.01, true_rate, 0.9, 0.95)
        assert people is not None
        most = max(e for e in range(200) if stats.beta.ppf(0.95, e + 1, people - e) <= 0.01)
        assert stats.binom.cdf(most, people, true_rate) >= 0.9
    assert non_members_for_power(0.01, 0.01, 0.9, 0.95) is None
    assert non_members_for_power(0.01, 0.0, 0.9, 0.95) == 299
    one, six = plan(Wanted()), plan(Wanted(rivals=6))
    assert one.images is not None and six.images is not None and six.images > one.images
    # Enough against six equal rivals at once, by simulation.
    random = np.random.default_rng(0)
    votes = random.multinomial(six.images, [0.3] + [0.1] * 6 + [0.1], 20_000)
    assert (votes[:, 0] > votes[:, 1:7].max(axis=1)).mean() >= 0.95


def table(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "subjects.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_column_says_who_is_in_which_group(tmp_path: Path) -> None:
    rows = ["name,path,Photo Agency", "A B,ab,one", "C D,cd,", "E F,ef,two", "E F,more,two"]
    path = table(tmp_path, rows)
    assert read_groups(path, "Photo Agency") == {"A B": "one", "E F": "two"}
    with pytest.raises(InputError, match="has no column 'source'"):
        read_groups(path, "source")
    with pytest.raises(InputError, match="needs a table"):
        read_groups(tmp_path, "source")
    with pytest.raises(InputError, match=r"line 3: 'A B' is in group 'y'"):
        read_groups(table(tmp_path, ["name,path,g", "A B,ab,x", "A B,ab,y"]), "g")


@pytest.mark.usefixtures("toy_plugin")
def test_an_audit_says_groups_on_terminal_page_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{first} {last}" for first in ("Mary", "Anna") for last in ("Hill", "Ash", "Oak")]
    others = make_names([*names, *(f"Jane Roe{i}" for i in range(30))])
    index = build_index(tmp_path / "i", ToyBackend(model="toy"), others)
    rows = ["name,path,agency"]
    for place, name in enumerate(names):
        make_images(tmp_path / str(place), 2, seed=place)
        rows.append(f"{name},{place},{'first' if place < 4 else 'second'}")
    path = table(tmp_path, rows)
    command = ["audit", str(index.path), str(path), "--group", "agency"]
    assert run_command([*command, "--json"], debug=True) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert {(g["group"], g["people"]) for g in groups} == {("first", 4), ("second", 2)}
    assert run_command([*command, "--out", str(tmp_path / "out")], debug=True) == 0
    assert "nothing about any single person" in capsys.readouterr().out
    assert "nothing about any single person" in (tmp_path / "out" / "index.html").read_text()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["groups"] == groups and report["replay"]["groups"]["Mary Hill"] == "first"
    assert run_command(["replay", str(tmp_path / "out"), "--json"], debug=True) == 0
    assert json.loads(capsys.readouterr().out)["exact"]

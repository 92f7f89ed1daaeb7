"""What `plan` promises of personas and leaks, against enumeration and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from idia_index.cli.main import cli
from idia_index.evaluation.baselines import compare
from idia_index.evaluation.personas import p_of_ranks, persona_power
from idia_index.pipelines.planning import Wanted, plan
from idia_index.pipelines.powers import leak_power

SCORE = (1.2, 0.8)


def test_the_power_of_a_few_personas_is_that_of_all_ranks() -> None:
    names, people, level = 5, 3, 0.1
    above = [stats.norm(*SCORE).sf(stats.norm.isf(rank / names)) for rank in range(1, names)]
    chances = np.diff([0, *above, 1])
    expected = sum(
        np.prod([chances[rank - 1] for rank in ranks])
        for ranks in product(range(1, names + 1), repeat=people)
        if p_of_ranks(ranks, names) <= level
    )
    assert persona_power(people, names, SCORE, level) == pytest.approx(expected)


def test_the_power_of_many_personas_is_that_of_simulated_ones() -> None:
    random = np.random.default_rng(1)
    people, names = 12, 100
    tails = stats.norm.sf(random.normal(*SCORE, (2000, people)))
    ranks = np.ceil(tails * names).astype(int)
    found = np.mean([p_of_ranks(each.tolist(), names) <= 0.001 for each in ranks[:600]])
    assert persona_power(people, names, SCORE, 0.001) == pytest.approx(found, abs=0.06)


@pytest.mark.parametrize(("people", "names"), [(2, 3), (1000, 1000)])
def test_no_power_without_a_score_or_ranks_enough(people: int, names: int) -> None:
    assert persona_power(people, names, (0, 1), 0.01) <= 0.01 + 1e-9
    assert persona_power(1, 99, SCORE, 0.01) == 0  # p is at least 1 / 99


@pytest.mark.parametrize("leak", [0.65, 0.8])
def test_so_many_people_see_the_leak_as_often_as_planned(leak: float) -> None:
    people = leak_power(leak, 0.9).people
    assert people is not None
    random = np.random.default_rng(2)
    shift = np.sqrt(2) * stats.norm.ppf(leak)
    truth = np.arange(people), np.arange(people, 2 * people)
    trials, fired = 300, 0
    for _ in range(trials):
        scores = random.standard_normal(2 * people)
        scores[:people] += shift
        fired += compare(scores, truth, 0.93, "model_free").fires
    assert fired / trials == pytest.approx(0.9, abs=0.05)
    assert leak_power(leak, 0.5).people < people


def test_the_plan_names_both_and_refuses_what_is_neither() -> None:
    needed = plan(Wanted())
    assert [each.training_images for each in needed.personas] == [1, 2, 5]
    powers = [each.power for each in needed.personas]
    assert powers == sorted(powers) and powers[-1] > 0.99
    said = CliRunner().invoke(cli, ["plan", "--personas", "5", "--leak", "0.6"]).output
    assert "5 personas with 100 names: power" in said and "AUC 0.6" in said
    for wrong in (["--leak", "0.5"], ["--personas", "0"], ["--persona-names", "1000"]):
        found = CliRunner().invoke(cli, ["plan", *wrong])
        assert found.exception is not None and wrong[0] in str(found.exception)

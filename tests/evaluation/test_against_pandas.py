"""An evaluation against the notebooks' computation in pandas, on the same draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from toy_world import make_world

from idia_index.cli.main import cli
from idia_index.evaluation.draws import draw_images
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.studies.results import confusion
from idia_index.report.documents import EvaluationResult
from idia_index.support.documents import from_json

pd = pytest.importorskip("pandas")

from pandas_evaluation import correct, evaluate, winners  # noqa: E402

SIZES, DRAWS, SEED, TAU, EDGES = (1, 2, 4), 5, 11, 2, (1, 5, 6, 20)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """An evaluation's report, of people of whom some are found and some are not."""
    from click.testing import CliRunner
    from toy_backend import ToyBackend

    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("idia_index.registry.load_plugin", _toy(ToyBackend))
        index, people = make_world(folder)
        options = ["--sample-sizes", "1,2,4", "--min-images", "4", "--draws", str(DRAWS),
                   "--seed", str(SEED), "--tau", str(TAU), "--bins", "1,5,6,20",
                   "--out", str(folder / "out")]  # fmt: skip
        done = CliRunner().invoke(cli, ["evaluate", str(index.path), str(people), *options])
    assert done.exit_code == 0, done.output
    return json.loads((folder / "out" / "report.json").read_text()), folder / "out"


def _toy(backend: type) -> Any:
    import idia_index.registry

    plain = idia_index.registry.load_plugin
    return lambda group, name: backend if name == "toy" else plain(group, name)


def photos(report: dict[str, Any], folder: Path) -> tuple[Any, list[str]]:
    """A row a photo, with the predictions that were measured."""
    measured = read_results(folder / "results.npz").measured
    prompts = [f"prompt_{t}" for t in range(measured.templates)]
    names = {int(i): s["name"] for i, s in zip(measured.name_ids, report["subjects"], strict=True)}
    rows = []
    for place, subject in enumerate(report["subjects"]):
        here = measured.of(place)
        for shot, predicted in enumerate(measured.predictions[:, here].T.tolist()):
            told = [names.get(i, f"somebody {i}") for i in predicted]
            rows.append([subject["name"], shot, subject["membership"], subject["training_count"],
                         *told])  # fmt: skip
    return pd.DataFrame(rows, columns=["person", "shot", "truth", "count", *prompts]), prompts


def drawn(shots: Any) -> dict[tuple[int, int], Any]:
    """The draws that the report was computed from, as rows of person and shot."""
    taken: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for person, own in shots.groupby("person", sort=False):
        masks = draw_images(person, len(own), SIZES, DRAWS, SEED)
        for s, size in enumerate(SIZES):
            for number in range(DRAWS):
                shown = own.shot.to_numpy()[masks[s, number]].tolist()
                taken.setdefault((size, number), []).extend((person, shot) for shot in shown)
    return {key: pd.DataFrame(rows, columns=["person", "shot"]) for key, rows in taken.items()}


@pytest.mark.slow
def test_votes_and_decisions_are_pandas(report: tuple[dict[str, Any], Path]) -> None:
    data, folder = report
    shots, prompts = photos(data, folder)
    table = winners(shots, prompts)
    right = correct(table)
    known = {subject["name"] for subject in data["subjects"]}
    ties = 0
    for subject in data["subjects"]:
        for vote, prompt in zip(subject["votes"], prompts, strict=True):
            wanted, found = table.loc[subject["name"], prompt], vote["winner"]
            ties += vote["tie"]
            assert pd.isna(wanted) == (found is None) == vote["tie"]
            if found in known or wanted in known:
                assert found == wanted
        assert subject["correct_prompts"] == right[subject["name"]]
        assert subject["inferred_member"] == bool(right[subject["name"]] >= TAU)
    assert ties > 100 and 0 < (right >= TAU).sum() < len(right)


@pytest.mark.slow
def test_rates_and_bins_are_pandas(report: tuple[dict[str, Any], Path]) -> None:
    data, folder = report
    shots, prompts = photos(data, folder)
    wanted = evaluate(shots, prompts, drawn(shots), TAU, EDGES)
    by_size = wanted.rates.groupby("images")
    curves = data["evaluation"]["curves"]
    assert curves["sizes"] == list(SIZES) and curves["draws"] == DRAWS
    for rate in ("tpr", "fnr", "fpr", "tnr", "accuracy"):
        assert curves[rate]["mean"] == pytest.approx(by_size[rate].mean().tolist(), abs=1e-6)
        assert curves[rate]["sd"] == pytest.approx(by_size[rate].std().tolist(), abs=1e-6)
    assert 0 < curves["tpr"]["mean"][0] < curves["tpr"]["mean"][-1] < 1
    bins = {b["low"]: b["tpr"]["mean"][-1] for b in data["evaluation"]["bins"]}
    assert bins == pytest.approx(
        {int(b.left): share for b, share in wanted.by_bin.mean().items()}, abs=1e-6
    )
    assert len(bins) == 3
    matrix = confusion(from_json(EvaluationResult, data).evaluation)
    last = wanted.rates[wanted.rates.images == SIZES[-1]]
    for outcome in ("tp", "fn", "fp", "tn"):
        assert matrix.counts[outcome].mean == pytest.approx(last[outcome].mean(), abs=1e-3)
        assert matrix.counts[outcome].sd == pytest.approx(last[outcome].std(), abs=1e-3)

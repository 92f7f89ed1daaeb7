"""`audit --study`: ratios calibrated on the study's people, withheld where it does not apply."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_backend import ToyBackend
from toy_world import CROWD, IMAGES, MEMBERS, NON_MEMBERS, SETTINGS, make_world, name_of, write_face

from idia_index import audit
from idia_index.cli.main import run as run_command
from idia_index.encode.backend import Backend
from idia_index.pipelines.audit import audit_into
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.replay import replay
from idia_index.report.data import evaluation_result
from idia_index.report.likelihood import ratio_text
from idia_index.report.page import report_html
from idia_index.search.index import Index
from idia_index.subjects.subjects import read_subjects

pytestmark = pytest.mark.usefixtures("toy_plugin")

Report = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Path, Path]:
    """An index, the report of a study on it, and a folder of others: one known well, one not."""
    folder = tmp_path_factory.mktemp("study")
    index, table = make_world(folder)
    evidence = gather(index, ToyBackend(model="toy"), read_subjects(table), SETTINGS)
    report = folder / "report.json"
    report.write_text(json.dumps(evaluation_result(evidence, SETTINGS).to_dict()))
    for i, strength in ((MEMBERS + NON_MEMBERS + 1, 2.0), (MEMBERS + NON_MEMBERS + 2, 0.0)):
        own = folder / "others" / name_of(i).replace(" ", "_")
        own.mkdir(parents=True)
        for number in range(IMAGES):
            write_face(own / f"{number}.png", i, number, strength)
    assert i < MEMBERS + NON_MEMBERS + CROWD
    return index, report, folder / "others"


def changed(report: Path, folder: Path, change: Callable[[Report], object]) -> Path:
    data = json.loads(report.read_text())
    change(data)
    (folder / "report.json").write_text(json.dumps(data))
    return folder


def audited(world: tuple[Index, Path, Path], study: Path) -> Any:
    return audit(world[0], ToyBackend(model="toy"), read_subjects(world[2]), study=study)


@pytest.mark.slow
def test_ratios_are_those_of_the_margin_of_the_studys_people(
    world: tuple[Index, Path, Path],
) -> None:
    """Two subjects have no PMI, so that the margin is calibrated; by hand, at either end."""
    found = audited(world, world[1])
    data = json.loads(world[1].read_text())
    by_role = {
        role: np.array([s["margin"] for s in data["subjects"] if s["membership"] == role])
        for role in ("member", "non_member")
    }
    assert found.calibration.score == "margin" and found.calibration.withheld is None
    assert (found.calibration.members, found.calibration.non_members) == (MEMBERS, NON_MEMBERS)
    assert 0 < found.calibration.minimum_cllr < found.calibration.cllr < 1
    known, stranger = (s for s in found.subjects)
    assert known.margin > by_role["non_member"].max()
    above = int((by_role["member"] > by_role["non_member"].max()).sum())
    wanted = (above + 1) / (MEMBERS + 2) * (NON_MEMBERS + 2)
    assert known.likelihood_ratio.ratio == pytest.approx(wanted)
    assert known.likelihood_ratio.support == "moderate"
    assert stranger.likelihood_ratio.ratio < 1 / 2
    told = found.to_text()
    assert "likelihood ratio" in told and "(moderate)" in told and "Cllr" in told


WITHHELD: dict[str, Callable[[Report], object]] = {
    "another model": lambda d: d["index"]["fingerprint"].update(weights_sha256="0" * 64),
    "another index": lambda d: d["templates"].reverse(),
    "another crop": lambda d: d["backend"].update(crop="face"),
    "too few people": lambda d: d.update(
        subjects=[s for s in d["subjects"] if s["membership"] == "member"][:19]
        + [s for s in d["subjects"] if s["membership"] == "non_member"]
    ),
    "leak": lambda d: d["evaluation"]["baselines"].update(gate=True),
    "photos": lambda d: [s.update(images=11) for s in d["subjects"]],
    "of the study": lambda d: d["subjects"][0].update(name=name_of(MEMBERS + NON_MEMBERS + 1)),
    "score": lambda d: [s.update(margin=s["margin"] + 1) for s in d["subjects"]],
}


@pytest.mark.slow
@pytest.mark.parametrize("why", WITHHELD)
def test_a_ratio_is_withheld_where_the_study_says_nothing(
    world: tuple[Index, Path, Path], tmp_path: Path, why: str
) -> None:
    found = audited(world, changed(world[1], tmp_path, WITHHELD[why]))
    first = found.subjects[0]
    assert first.likelihood_ratio.withheld == why
    assert first.likelihood_ratio.ratio is None and first.likelihood_ratio.support is None
    assert ratio_text(first, found.calibration) in found.to_text() or (
        found.calibration.withheld == why
    )
    assert ratio_text(first, found.calibration).split(": ")[1] != "."
    if why in ("of the study", "photos", "score"):
        assert found.calibration.cllr is not None


def test_bins_of_twenty_members_have_ratios_of_their_own(
    world: tuple[Index, Path, Path], tmp_path: Path
) -> None:
    def counted(data: Report) -> None:
        for number, subject in enumerate(data["subjects"][:MEMBERS]):
            subject["training_count"] = 1 if number < 20 else 9

    found = audited(world, changed(world[1], tmp_path, counted))
    (one,) = found.calibration.by_training_count
    assert (one.low, one.high, one.members) == (1, 2, 20) and 0 < one.minimum_cllr < one.cllr
    (own,) = found.subjects[0].likelihood_ratio.by_training_count
    assert own.ratio > 1 and "By training images: 1: " in ratio_text(
        found.subjects[0], found.calibration
    )


@pytest.mark.slow
def test_a_report_with_ratios_replays_and_falsified_ones_show(
    world: tuple[Index, Path, Path], tmp_path: Path
) -> None:
    index, study, others = world
    _, report = audit_into(
        tmp_path, index, ToyBackend(model="toy"), read_subjects(others), others, study=study
    )
    assert report.calibration is not None and report.replay.calibration is not None
    page = report_html(report, language="de")
    assert "Likelihood-Quotient" in page
    backend = Backend(ToyBackend(model="toy"))
    recorded = read_report(tmp_path)
    assert replay(recorded, index, backend, lambda *_: None).exact
    recorded.data["subjects"][0]["likelihood_ratio"]["ratio"] = 5000.0
    (found,) = replay(recorded, index, backend, lambda *_: None).differences
    assert found.where.endswith("likelihood_ratio.ratio")


@pytest.mark.slow
def test_a_study_that_nothing_can_be_calibrated_on_is_refused(
    world: tuple[Index, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = changed(
        world[1], tmp_path, lambda d: [s.update(membership="member") for s in d["subjects"]]
    )
    arguments = ["audit", str(world[0].path), str(world[2]), "--study"]
    assert run_command([*arguments, str(one)], debug=False) == 2
    assert "both members and non-members" in capsys.readouterr().err
    changed(world[1], tmp_path, lambda d: d.update(p_values=None))
    assert run_command([*arguments, str(one)], debug=False) == 2
    assert "labels alone" in capsys.readouterr().err
    changed(world[1], tmp_path, lambda d: d["subjects"][0].update(images="many"))
    assert run_command([*arguments, str(one)], debug=False) == 2
    assert "damaged report" in capsys.readouterr().err

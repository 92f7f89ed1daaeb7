"""Choices are written and hashed before the search, and compared with the report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import Settings, build_index
from idia_index.cli.main import cli
from idia_index.errors import IdiaIndexError, InputError
from idia_index.evaluation.evidence import Origin
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.audit import audit, audit_into
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.report_files import write_evaluation
from idia_index.pipelines.report_folder import check_folder
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject, read_subjects


class Broken(ToyBackend):
    """A model that fails at the first photo."""

    def embed_images(self, images: object) -> object:  # type: ignore[override]
        raise InputError("no photo today")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(["A B", "C D", "E F"]))


@pytest.fixture
def people(tmp_path: Path) -> list[Subject]:
    for name in ("A_B", "C_D"):
        make_images(tmp_path / "people" / name, 3)
    return list(read_subjects(tmp_path / "people"))


def test_they_are_written_before_a_photo_is_encoded(
    index: Index, people: list[Subject], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no photo today"):
        audit_into(tmp_path / "out", index, Broken(model="toy"), people, tmp_path / "people", tau=2)
    alone = (tmp_path / "out" / "choices.json").read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["choices.json"]
    assert not check_folder(tmp_path / "out")  # the next try may write there
    told, report = audit_into(
        tmp_path / "out", index, ToyBackend(model="toy"), people, tmp_path / "people", tau=2
    )
    assert (tmp_path / "out" / "choices.json").read_bytes() == alone
    stated = json.loads((tmp_path / "out" / "report.json").read_text())["choices"]
    assert stated["sha256"] == hashlib.sha256(alone).hexdigest()
    assert json.loads(alone) == stated["choices"] and stated["choices"]["tau"] == 2
    assert (
        hashlib.sha256((json.dumps(stated["choices"]) + "\n").encode()).hexdigest()
        == (stated["sha256"])
    )
    assert told.choices == report.choices and stated["changed"] == []
    assert stated["choices"]["photos"] == 6 and stated["choices"]["sample_sizes"] is None


def test_each_choice_gives_another_hash(index: Index, people: list[Subject]) -> None:
    base = audit(index, ToyBackend(model="toy"), people).choices
    assert base is not None
    toy = ToyBackend(model="toy")
    hashes = {
        gather(index, toy, some, settings, baselines=False, origin=origin).choices.sha256
        for some, settings, origin in (
            (people, Measurement(tau=2), None),
            (people, Measurement(seed=1), None),
            (people[:1], Measurement(), None),
            (people, Settings(sizes=(1, 3), min_images=3), None),
            (people, Settings(sizes=(1, 3), min_images=3, draws=5), None),
            (people, Measurement(), Origin(groups={"A B": "x"})),
            (people, Measurement(), Origin(groups={"A B": "y"})),
        )
    }
    assert len(hashes | {base.sha256}) == 8
    assert replace(base.choices, score_references=5).sha256 != base.sha256
    assert gather(index, toy, people, Measurement(), baselines=False).choices == base.choices


def test_a_report_says_what_was_changed_with_the_answers_in_sight(
    index: Index, people: list[Subject], tmp_path: Path
) -> None:
    settings = Settings(sizes=(1, 3), min_images=3, draws=2)
    evidence = gather(index, ToyBackend(model="toy"), people, settings)
    first = write_evaluation(evidence, settings, tmp_path / "one")
    assert first.choices is not None and first.choices.changed == ()
    again = ["evaluate", "--from", str(tmp_path / "one"), "--sample-sizes", "1,2", "--draws", "2",
             "--min-images", "3", "--tau", "4", "--out", str(tmp_path / "two")]  # fmt: skip
    assert CliRunner().invoke(cli, again).exit_code == 0
    stated = json.loads((tmp_path / "two" / "report.json").read_text())
    assert stated["choices"]["changed"] == ["sample_sizes", "tau"]
    assert stated["choices"]["choices"]["tau"] == 1
    assert stated["choices"]["sha256"] == first.choices.sha256
    assert any("when the answers were known: sample_sizes, tau" in note for note in stated["notes"])
    assert read_results(tmp_path / "two").choices == evidence.choices


def test_falsified_choices_show_in_a_replay(
    index: Index, people: list[Subject], tmp_path: Path, toy_plugin: None
) -> None:
    toy = ToyBackend(model="toy")
    audit_into(tmp_path / "out", index, toy, people, tmp_path / "people")
    file = tmp_path / "out" / "report.json"
    data = json.loads(file.read_text())
    data["choices"]["choices"]["clear"] = 0.2
    file.write_text(json.dumps(data))
    found = CliRunner().invoke(cli, ["replay", str(file), "--json"])
    assert isinstance(found.exception, IdiaIndexError)
    assert [each["where"] for each in json.loads(found.stdout)["differences"]] == ["choices.sha256"]

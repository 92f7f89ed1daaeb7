"""Output never names anyone who fits a face better than the name under test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from toy_backend import ToyBackend
from toy_world import votes_of

from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.decide.votes import may_be_named
from idia_index.pipelines.query import query
from idia_index.prompts.packed_names import NameList
from idia_index.report.documents import QueryResult
from idia_index.report.page import report_html
from idia_index.search.index import Index
from idia_index.subjects.subjects import make_subject


@pytest.fixture
def index(tmp_path: Path, toy: ToyBackend, names: NameList) -> Index:
    return build_index(tmp_path / "i", toy, names)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_images(tmp_path / "photos" / "Made_Up", 6)


def favourite(index: Index, toy: ToyBackend, photos: Path) -> str:
    """The candidate that is predicted most often for the photos."""
    (result,) = votes_of(index, toy, [make_subject("Made Up", [photos])]).subjects
    return index.name(Counter(result.predictions.ravel().tolist()).most_common(1)[0][0])


def asked(index: Index, toy: ToyBackend, photos: Path, name: str) -> QueryResult:
    return query(index, toy, make_subject(name, [photos]), top=5)


@pytest.mark.parametrize(
    ("predictions", "may"),
    [
        ([[7, 7, 3], [3, 7, 7]], True),
        ([[7, 3], [3, 7]], True),  # nobody more often
        ([[7, 7, 7], [3, 3, 3], [3, 7, 3]], False),  # wins a prompt, and is not the first choice
        ([[3, 4], [5, 6]], False),
    ],
)
def test_rivals_are_named_where_none_is_predicted_more_often(
    predictions: list[list[int]], may: bool
) -> None:
    assert may_be_named(np.array(predictions), 7) is may


def test_a_made_up_name_is_not_answered_with_the_right_one(
    index: Index, toy: ToyBackend, photos: Path, names: NameList
) -> None:
    result = asked(index, toy, photos, "Made Up")
    (subject,) = result.subjects
    outputs = [result.to_text(), report_html(result)]
    for text in outputs:
        assert not [name for name in names if name in text]
        assert "another name" in text
    assert outputs[0].count("another name") > 21 - sum(
        each.tie for each in subject.votes
    )  # --top's too
    assert "searches for none" in outputs[0]


def test_a_candidate_that_is_not_the_first_choice_is_no_way_round(
    index: Index, toy: ToyBackend, photos: Path, names: NameList
) -> None:
    first = favourite(index, toy, photos)
    other = next(name for name in names if name != first)
    text = asked(index, toy, photos, other).to_text()
    assert other in text and not [name for name in names if name in text.replace(other, "")]


def test_the_first_choice_is_shown_with_its_rivals(
    index: Index, toy: ToyBackend, photos: Path, names: NameList
) -> None:
    first = favourite(index, toy, photos)
    result = asked(index, toy, photos, first)
    top = result.top
    assert top is not None and top[0].name == first and {row.name for row in top} <= set(names)
    text = result.to_text()
    assert "another name" not in text and "searches for none" not in text
    assert all(row.name in text for row in top)


@pytest.mark.parametrize("name", ["Made Up", None])
def test_the_data_hold_every_winner_and_say_what_is_shown(
    index: Index, toy: ToyBackend, photos: Path, name: str | None
) -> None:
    """Who computes a decision again needs them."""
    person = make_subject(name or favourite(index, toy, photos), [photos])
    votes = votes_of(index, toy, [person])
    (data,) = query(index, toy, person).to_dict()["subjects"]
    ids = votes.subjects[0].winners.tolist()
    winners = [None if i == -1 else votes.index.name(i) for i in ids]
    assert [each["winner"] for each in data["votes"]] == winners and any(winners)
    assert [each["tie"] for each in data["votes"]] == [winner is None for winner in winners]
    assert data["rivals_named"] is (name is None)


@pytest.mark.usefixtures("toy_plugin")
def test_the_page_of_a_report_holds_no_name_that_is_not_shown(
    index: Index, photos: Path, names: NameList, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["audit", str(index.path), str(photos.parent), "--out", str(out)]
    assert run_command(arguments, debug=False) == 0
    for file in ("index.html", "subjects.csv"):
        text = (out / file).read_text(encoding="utf-8")
        assert "Made Up" in text and not [name for name in names if name in text]

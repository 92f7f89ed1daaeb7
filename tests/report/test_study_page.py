"""The page of a study, on constructed results."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from idia_index.evaluation.records.curves import BinRates, Curves, RateCurve
from idia_index.report.studies.documents import (
    FORMAT,
    Candidates,
    Confusion,
    HistogramBin,
    MissingPerson,
    ModelResult,
    Spread,
    StudyPeople,
    StudyResults,
)
from idia_index.report.studies.page import study_html

HOSTILE = "<script>alert(1)</script>"


def curve(*means: float) -> RateCurve:
    ends = tuple(m / 2 for m in means), tuple(min(1.0, m + 0.1) for m in means)
    return RateCurve(4, means, (0.01,) * len(means), *ends)


def model(label: str, group: str, count: int | None, tpr: float) -> ModelResult:
    curves = Curves(
        sizes=(1, 3, 30), draws=5, tpr=curve(0.1, 0.2, tpr), fpr=curve(0, 0, 0.25),
        fnr=curve(0.9, 0.8, 1 - tpr), tnr=curve(1, 1, 0.75), accuracy=curve(0.5, 0.6, 0.7),
    )  # fmt: skip
    rates = {"tp": Spread(tpr, 0.011), "fn": Spread(1 - tpr, 0.011), "fp": Spread(0.25, 0.03),
             "tn": Spread(0.75, 0.03)}  # fmt: skip
    counts = {key: Spread(4 * s.mean, 4 * s.sd) for key, s in rates.items()}
    return ModelResult(label, group, count, "spec", f"models/{label}/report/report.json",
                       f"models/{label}/study.idia", False, "RN50", "gelu", "0" * 64, curves, (),
                       Confusion(30, 5, 4, 4, counts, rates), ())  # fmt: skip


def results(**changes: Any) -> StudyResults:
    whole = StudyResults(
        format=FORMAT, title="Title", source="s", study_sha256="0" * 64, warnings=("First.",),
        activation="as-trained", dry_run=None, tau=1, checkpoints=True, templates=("{0}",),
        candidates=Candidates(1000, 9, "0" * 64, {}), candidate_rule=("The rule.",),
        people=StudyPeople(9, 8, 1, 8), renamed={"A_B": "A C"}, others=(),
        missing=(MissingPerson(HOSTILE, "member", 12, "no folder"),),
        training_counts=(), failed=(), skipped=(),
        models=(model("a:75", "a", 75, 0.875), model("a:5", "a", 5, 0.375),
                model("b:5", "b", 5, 0.5)),
    )  # fmt: skip
    return replace(whole, **changes)


class Text(HTMLParser):
    """The rows of all tables, as lists of cells; every tag must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("meta", "img", "br"):
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()


@pytest.mark.slow
def test_checkpoints_stand_by_training_images_and_group() -> None:
    page = study_html(results())
    rows = Text(page).rows
    assert ["75", "87.5% (43.8% to 97.5%)", ""] in rows
    assert ["5", "37.5% (18.8% to 47.5%)", "50.0% (25.0% to 60.0%)"] in rows
    assert rows.index(["5", "37.5% (18.8% to 47.5%)", "50.0% (25.0% to 60.0%)"]) < rows.index(
        ["75", "87.5% (43.8% to 97.5%)", ""]
    )
    table = next(row for row in rows if row[0] == "a:75")
    assert table[1:7] == ["75", "4", "87.5 ± 1.1%", "43.8% to 97.5%", "4", "25.0 ± 3.0%"]
    assert ["member", "TP 3.5 ± 0.0487.50 ± 1.10%", "FN 0.5 ± 0.0412.50 ± 1.10%"] in rows
    assert 'href="../models/a%3A75/report/index.html"' in page


@pytest.mark.slow
def test_what_others_wrote_stays_text() -> None:
    page = study_html(results(title=HOSTILE, warnings=(HOSTILE,)))
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert [HOSTILE, "member", "12", "no folder"] in Text(page).rows


@pytest.mark.slow
def test_bins_and_training_counts_of_a_study_of_captions() -> None:
    bins = (
        BinRates("0 to 24", 0, 25, curve(0.1, 0.2, 0.5)),
        BinRates("1,000 or more", 1000, None, curve(0.3, 0.4, 0.75)),
    )
    one = replace(model("x", "x", None, 0.5), bins=bins)
    histogram = (HistogramBin(0, 1000, 7, 5, 4), HistogramBin(1000, None, 2, 1, 0))
    page = study_html(results(checkpoints=False, models=(one,), training_counts=histogram))
    rows = Text(page).rows
    assert ["0 to 24", "50.0% (25.0% to 60.0%)"] in rows
    assert ["1,000 or more", "75.0% (37.5% to 85.0%)"] in rows
    assert ["0 to 999", "7", "5", "4"] in rows and ["1,000 or more", "2", "1", "0"] in rows


@pytest.mark.slow
def test_figures_are_drawn_where_matplotlib_is() -> None:
    pytest.importorskip("matplotlib")
    page = study_html(results())
    assert page.count("data:image/svg+xml") == 3 + 1 + 2  # rates; figure 5; heat maps of groups

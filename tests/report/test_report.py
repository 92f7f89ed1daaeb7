"""The page: hostile names stay text, nothing is fetched, and it is complete without figures."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.report.documents import EvaluationResult
from idia_index.report.page import report_html
from idia_index.report.text import index_type
from idia_index.store.summary import summarize
from idia_index.subjects.subjects import Subject

HOSTILE = [
    "<script>alert(1)</script> Smith",
    "Ann \"Quote\" 'Single' &amp; O'Neill",
    "שרה כהן",
    "محمد علي",
    "Emoji 😀 Face",
    "=HYPERLINK(1) Formula",
    "</td></table><img src=x onerror=alert(1)>",
]


class Page(HTMLParser):
    """Tags, attributes and texts of a page; checks that tags close in order."""

    VOID = frozenset({"meta", "img", "br", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open_tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open_tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@dataclass(frozen=True)
class Written:
    """A report, and the folder that it was written into."""

    result: EvaluationResult
    folder: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """An evaluation of people with hostile names and hostile file names."""
    folder = tmp_path_factory.mktemp("hostile")
    backend = ToyBackend(model="toy")
    crowd = [f"Name{i} Last{i}" for i in range(60)]
    index = build_index(folder / "i", backend, make_names([*HOSTILE, *crowd]))
    random = np.random.default_rng(0)
    subjects = []
    for i, name in enumerate([*HOSTILE, *crowd[:5]]):
        paths = []
        for k in range(3):
            paths.append(folder / f"{i} '<b>\" {k}.png")
            pixels = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(paths[-1])
        subjects.append(Subject(name, tuple(paths), ("member", "non_member")[i % 2], i % 4))
    settings = Settings(sizes=(1, 3), draws=2, min_images=3)
    evidence = gather(index, backend, subjects, settings)
    assert settings_for_all(evidence).sizes == (1, 3)
    result = write_evaluation(evidence, settings, folder / "out", include_images=True)
    assert result == evaluation_result(evidence, settings)
    return Written(result, folder / "out")


def check_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "video"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "srcset", "action"}:
                assert value is not None and value.startswith("data:image/"), (tag, value[:60])
    policies = [a["content"] for t, a in page.tags if "http-equiv" in a]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


@pytest.mark.slow
def test_hostile_names_are_text_and_nothing_is_fetched(written: Written) -> None:
    pytest.importorskip("matplotlib")
    text = (written.folder / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    check_nothing_is_fetched(page)
    assert "url(" not in text and "@import" not in text
    for name in HOSTILE:
        assert name in page.texts
    figures = [a for t, a in page.tags if t == "img" and "svg" in str(a["src"])]
    assert len(figures) >= 6 and all(figure["alt"] for figure in figures)
    faces = [a for t, a in page.tags if t == "img" and "jpeg" in str(a["src"])]
    assert len(faces) == 3 * len(written.result.subjects)
    table = (written.folder / "subjects.csv").read_text(encoding="utf-8")
    assert "\n\"'=HYPERLINK" in table


@pytest.mark.slow
def test_faces_are_shown_only_when_asked_for(written: Written) -> None:
    assert "image/jpeg" not in report_html(written.result)
    assert "image/jpeg" in report_html(written.result, include_images=True)


@pytest.mark.slow
def test_an_image_that_has_gone_since_leaves_its_path(written: Written) -> None:
    people = written.result.subjects
    subjects = tuple(replace(each, image_files=("/gone/<face>.png",)) for each in people)
    gone = replace(written.result, subjects=subjects)
    page = Page(report_html(gone, include_images=True))
    assert "/gone/<face>.png" in page.texts


@pytest.mark.slow
def test_figures_are_the_same_bytes_each_time(written: Written) -> None:
    pytest.importorskip("matplotlib")
    assert report_html(written.result) == report_html(written.result)


def test_without_the_extra_the_page_is_whole_and_says_what_brings_figures(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = report_html(written.result)
    page = Page(text)
    check_nothing_is_fetched(page)
    assert "pip install 'matplotlib" in "".join(page.texts)
    assert not [a for t, a in page.tags if t == "img"]
    tpr = written.result.evaluation.curves.tpr
    assert tpr is not None and f"{100 * tpr.mean[1]:.1f}% (" in text
    assert not re.search(r"<details[^>]*><summary>Numbers", text)


@pytest.mark.slow
def test_verdict_and_uncertainty_come_first(written: Written) -> None:
    words = " ".join("".join(Page(report_html(written.result)).texts).split())
    order = ["Identity inference audit", "people the model associates", "known members",
             "Rates where the truth is known", "How many images", "Is it the faces?",
             "The true name among control names", "What the verdicts depend on", "People",
             "What this does not show", "Questions of data protection authorities", "Glossary",
             "Annex: what was tested"]  # fmt: skip
    places = [words.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "said"), [("flat", "flat, exact"), ("float16", "float16, quantized")]
)
def test_how_sure_the_index_is_of_its_names(
    name: str, said: str, toy: ToyBackend, tmp_path: Path
) -> None:
    names = make_names([f"First{i} Last{i}" for i in range(300)])
    index = build_index(tmp_path / "i", toy, names, index_type=name)
    assert index_type(summarize(index.path, index.manifest)).startswith(said)

"""The report for an officer: its first page, its questions, and how it prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import make_images
from playwright.sync_api import Browser, Page, sync_playwright
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.evaluation.evidence import About
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.about import LONGEST
from idia_index.pipelines.evaluate import evaluate
from idia_index.prompts.names import make_names
from idia_index.report.documents import EvaluationResult
from idia_index.report.officer import what_was_sent
from idia_index.report.page import report_html
from idia_index.report.questions import questions
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject
from idia_index.types import Sent, ServiceRecord

PEOPLE = 312
A4 = (688, 1017)  # pixels of the paper within its margins of 14 mm


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    """An evaluation of 312 people, half of them members, by a toy that knows none."""
    folder = tmp_path_factory.mktemp("people")
    backend = ToyBackend(model="toy")
    names = [f"Given{n} Family{n}" for n in range(PEOPLE)]
    index = build_index(folder / "i", backend, make_names(names))
    people = [
        Subject(
            name,
            tuple(sorted(make_images(folder / name, 3).iterdir())),
            NON_MEMBER if place % 2 else MEMBER,
        )
        for place, name in enumerate(names)
    ]
    return evaluate(index, backend, people, Settings(sizes=(1, 3), min_images=3, draws=3))


def with_clear(result: EvaluationResult, clear: int) -> EvaluationResult:
    graded = tuple(
        replace(each, strength="clear" if place < clear else "none")
        for place, each in enumerate(result.subjects)
    )
    return replace(result, subjects=graded)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clear", "said"),
    [
        (0, "The evidence is clear for none. That does not show that the model is anonymous"),
        (2, "For 2 of them the evidence is clear, which speaks against"),
    ],
)
def test_questions_are_answered_from_the_figures_or_left_open(
    result: EvaluationResult, clear: int, said: str
) -> None:
    edpb, cnil = questions(with_clear(result, clear))
    assert said in edpb.questions[0].answer
    assert metrics_text(result) in edpb.questions[2].answer
    assert not edpb.questions[0].left_open and not edpb.questions[2].left_open
    opened = [each.asked for source in (edpb, cnil) for each in source.questions if each.left_open]
    assert len(opened) >= 8 and any("legal basis" in asked for asked in opened)
    unknown = questions(replace(result, metrics=None))[0].questions[2].answer
    assert "How often members are missed is not known" in unknown
    page = report_html(result)
    assert page.count("<strong>Left open.</strong>") == len(opened)


def metrics_text(result: EvaluationResult) -> str:
    assert result.metrics is not None
    members = result.metrics.members
    return f"Of {members.total} known members {members.hits} were found"


@pytest.mark.slow
def test_what_was_sent_is_named_with_its_host(result: EvaluationResult) -> None:
    sent = (Sent("text", "0" * 64, 9), Sent("image", "1" * 64, 9), Sent("image", "2" * 64, 9))
    record = ServiceRecord("https://example.org/v1", "m", "", ("now",), 0.0, 0.0, 2, 0, 0, sent)
    hosted = replace(result, backend=replace(result.backend, service=record))
    said = what_was_sent(hosted)
    assert "1 text and 2 photos were sent to https://example.org/v1" in said
    assert "Nothing was sent" not in said and said in report_html(hosted)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(
    browser: Browser, result: EvaluationResult, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The longest report: every entry as long as it may be."""
    stated = About(*(("long words " * LONGEST)[:LONGEST] for _ in range(6)))
    notes = tuple(note for note in result.notes if not note.startswith("Few candidate"))
    told = replace(result, replay=replace(result.replay, about=stated), notes=notes)
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(report_html(told), encoding="utf-8")
    context = browser.new_context(bypass_csp=True)
    opened = context.new_page()
    opened.goto(file.as_uri())
    yield opened
    context.close()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.browser
def test_the_first_page_is_one_and_312_people_take_under_ten(page: Page) -> None:
    page.set_viewport_size({"width": A4[0], "height": A4[1]})
    page.emulate_media(media="print")
    first = page.locator(".front").bounding_box()
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    page.emulate_media(media="screen")
    assert first is not None and first["height"] <= A4[1]
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) < 10


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    clipped = page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => e.innerText.slice(0, 80))"
    )
    assert clipped == []


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.browser
def test_the_report_shuts_nobody_out(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    # Of the rows and votes of 312 people, which are alike, the first ones and the last.
    alike = "details:nth-of-type(n+3):not(:last-of-type), .people tr:nth-of-type(n+4)"
    page.evaluate("alike => document.querySelectorAll(alike).forEach(e => e.remove())", alike)
    assert page.locator("details").count() >= 3 and page.locator(".people tr").count() >= 3
    found = Axe().run(page).response["violations"]
    assert found == [], [(each["id"], each["nodes"][0]["html"][:200]) for each in found]

"""The catalogue is complete in every language, and translated pages contain no English."""

from __future__ import annotations

import re
import sys
from dataclasses import fields, replace
from gettext import translation
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from conftest import make_images
from english import english_left, texts
from toy_backend import ToyBackend
from toy_world import SETTINGS, make_people, name_of

from idia_index import build_index
from idia_index.evaluation.groups import GroupTest
from idia_index.evaluation.likelihood import (
    CountCalibration,
    CountRatio,
    LikelihoodRatio,
    StudyCalibration,
)
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.report.documents import AuditResult, EvaluationResult
from idia_index.report.format import hits_of, percent
from idia_index.report.language import CATALOGUE, DOMAIN, LANGUAGES, speaking
from idia_index.report.notes import notes
from idia_index.report.page import report_html
from idia_index.subjects.subjects import read_subjects
from idia_index.types import Sent, ServiceRecord

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
from make_catalogue import collected

OTHERS = [language for language in LANGUAGES if language != "en"]
PLACE = re.compile(r"\{\w+\}")


def forms(message: str | tuple[str, ...]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


@pytest.mark.slow
@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_with_its_places_and_compiled(language: str) -> None:
    path = CATALOGUE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    wanted = {each.id for each in collected() if each.id}
    assert len(wanted) > 150
    assert {each.id for each in catalogue if each.id} == wanted, "run docs/make_catalogue.py"
    compiled = translation(DOMAIN, CATALOGUE, [language])
    for each in catalogue:
        if not each.id:
            continue
        assert not each.fuzzy
        assert len(forms(each.string)) == len(forms(each.id))
        for said, original in zip(forms(each.string), forms(each.id), strict=True):
            assert said, original
            assert sorted(PLACE.findall(said)) == sorted(PLACE.findall(original)), said
        if isinstance(each.id, str):
            assert compiled.gettext(each.id) == each.string
        else:
            read = tuple(compiled.ngettext(*each.id, number) for number in (1, 2))
            assert read == each.string


def test_no_message_stands_in_an_f_string() -> None:
    """Python 3.11 hides it from the collector, so that it would never be translated."""
    package = CATALOGUE.parents[1]
    for file in (*(package / "report").rglob("*.py"), *(package / "serve").rglob("*.py")):
        assert not re.search(r"\{(?:_|ngettext)\(['\"]", file.read_text()), file


def test_every_language_has_a_catalogue_and_no_other_is_shipped() -> None:
    assert sorted(path.name for path in CATALOGUE.iterdir()) == sorted(OTHERS)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    """An evaluation with every section: a leak, groups, a service, a misspelt name, a study."""
    folder = tmp_path_factory.mktemp("people")
    names = make_names([name_of(i) for i in range(60)] + ["Jane Doe"])
    index = build_index(folder / "i", ToyBackend(model="toy"), names)
    table = make_people(folder / "people", leak=True)
    (table.parent / "p0" / "bad.png").write_text("no image")
    make_images(table.parent / "new", 5)
    with table.open("a") as file:
        file.write("Jane Doo,new,,\n")
    evidence = gather(index, ToyBackend(model="toy"), read_subjects(table), SETTINGS)
    found = evaluation_result(evidence, SETTINGS)
    sent = (Sent("text", "0" * 64, 9), Sent("image", "1" * 64, 9))
    noise = (1e-7, 1e-6)
    record = ServiceRecord(
        "https://example.org/v1", "m", "", ("now",), *noise, 2, 0, 0, sent, undecided=3
    )
    ratios = (
        LikelihoodRatio(12.0, "moderate", (CountRatio(1, None, 3.0),), None),
        LikelihoodRatio(0.3, "weak", (), None),
        LikelihoodRatio(None, None, (), "photos"),
    )
    told = zip(found.subjects, ratios, strict=False)
    assert found.choices is not None
    changed = replace(
        found,
        subjects=(
            *(replace(subject, likelihood_ratio=ratio) for subject, ratio in told),
            *found.subjects[len(ratios) :],
        ),
        calibration=StudyCalibration(
            "r.json",
            "0" * 64,
            "margin",
            24,
            36,
            (5, 5),
            (-1.0, 1.0),
            0.5,
            0.4,
            (0.05, 30.0),
            (CountCalibration(1, 2, 20, 0.9, 0.8),),
            None,
        ),
        choices=replace(found.choices, changed=("tau",)),
        backend=replace(found.backend, service=record, crop="face"),
        groups=(GroupTest("g", 3, 0.01, 0.02),),
    )
    return replace(changed, notes=tuple(notes(changed)))


@pytest.mark.parametrize(
    ("language", "said"), [("en", "1,001 of 9: 2.5%"), ("de", "1\u202f001 von 9: 2,5\u202f%")]
)
def test_no_number_is_taken_for_another(language: str, said: str) -> None:
    with speaking(language):
        assert f"{hits_of(1001, 9)}: {percent(0.025)}" == said


@pytest.fixture(scope="module")
def english(result: EvaluationResult) -> str:
    return report_html(result)


def drawn(page: str) -> list[str]:
    """The figures of a page."""
    return re.findall(r'src="(data:image/svg[^"]*)"', page)


@pytest.mark.slow
@pytest.mark.parametrize("language", OTHERS)
def test_a_page_says_everything_in_its_language(
    result: EvaluationResult, english: str, language: str
) -> None:
    page = report_html(result, language=language)
    assert f'<html lang="{language}">' in page
    assert english_left(page) == []
    said, whole = texts(page), {m for each in collected() if each.id for m in forms(each.id)}
    assert {text for text in said if text in whole and len(text) > 12} == set()
    assert "{" not in re.sub(r"<style>.*?</style>|<td.*?</td>", "", page, flags=re.S)
    # The words in the figures are drawn: they differ from the English ones.
    assert len(drawn(page)) == len(drawn(english)) > 5
    assert all(one != other for one, other in zip(drawn(page), drawn(english), strict=True))
    # What would be found, if it were left.
    assert '<html lang="en">' in english
    assert len(english_left(english.replace('lang="en"', ""))) > 150


def test_one_person_is_told_of_in_another_language(result: EvaluationResult) -> None:
    parts = {each.name: getattr(result, each.name) for each in fields(AuditResult)}
    alone = AuditResult(**parts | {"subjects": result.subjects[:1], "metrics": None})
    for language in OTHERS:
        assert english_left(report_html(alone, language=language)) == []


def test_documents_stay_english_whatever_is_spoken_of_them(result: EvaluationResult) -> None:
    with speaking("de"):
        assert tuple(notes(result)) != result.notes
    assert tuple(notes(result)) == result.notes
    assert "association" in result.to_text()

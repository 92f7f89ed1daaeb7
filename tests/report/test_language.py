"""The catalogue is whole in every language, and a page in one of them has no English left."""

from __future__ import annotations

import html
import re
import sys
from gettext import translation
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.evaluate import evaluate
from idia_index.prompts.names import make_names
from idia_index.report.documents import EvaluationResult
from idia_index.report.language import CATALOGUE, DOMAIN, LANGUAGES, speaking
from idia_index.report.notes import notes
from idia_index.report.page import report_html
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
from make_catalogue import collected

OTHERS = [language for language in LANGUAGES if language != "en"]
PLACE = re.compile(r"\{\w+\}")


def forms(message: str | tuple[str, ...]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


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


def test_every_language_has_a_catalogue_and_no_other_is_shipped() -> None:
    assert sorted(path.name for path in CATALOGUE.iterdir()) == sorted(OTHERS)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    folder = tmp_path_factory.mktemp("people")
    backend = ToyBackend(model="toy")
    names = ["A B", "C D", "E F", "G H"]
    index = build_index(folder / "i", backend, make_names(names))
    people = [
        Subject(name, tuple(sorted(make_images(folder / name, 3).iterdir())), membership)
        for name, membership in zip(names, (MEMBER, NON_MEMBER, NON_MEMBER, None), strict=True)
    ]
    return evaluate(index, backend, people, Settings(sizes=(1, 3), min_images=3))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_everything_in_its_language(result: EvaluationResult, language: str) -> None:
    page = report_html(result, language=language)
    assert f'<html lang="{language}">' in page
    said = [
        message
        for each in collected()
        if each.id
        for message in forms(each.id)
        if len(message) > 40 and html.escape(message, quote=False).replace("'", "&#39;") in page
    ]
    assert len(said) > 30 if language == "en" else said == []
    assert "{" not in re.sub(r"<style>.*?</style>|<td.*?</td>", "", page, flags=re.S)


def test_documents_stay_english_whatever_is_spoken_of_them(result: EvaluationResult) -> None:
    with speaking("de"):
        assert tuple(notes(result)) != result.notes
    assert tuple(notes(result)) == result.notes
    assert "association" in result.to_text()

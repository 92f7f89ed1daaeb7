"""The pages in four languages, chosen by the browser, on the page, or at the start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from english import english_left, texts
from served import NAME, Client, drawn, every_page, serving, shared_cache

pytestmark = [pytest.mark.process, pytest.mark.slow]

HEADINGS = {
    "en": "Does a model know a face by name?",
    "de": "Kennt ein Modell ein Gesicht beim Namen?",
    "fr": "Un modèle connaît-il un visage par son nom ?",
    "es": "¿Conoce un modelo una cara por su nombre?",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(shared_cache(tmp_path_factory)) as served:
        served.enter()
        yield served


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("pt,fr;q=0.7,es;q=0.8", "es"),
        ("ja, *;q=0.1", "en"),
        ("de;q=0,fr", "fr"),
        ("de;q=x,;;,en", "en"),
        ("", "en"),
    ],
)
def test_the_browser_asks_for_a_language(client: Client, asked: str, spoken: str) -> None:
    page = client.get("/", Accept_Language=asked).text
    assert f'<html lang="{spoken}">' in page and HEADINGS[spoken] in texts(page)


def test_every_page_says_everything_in_its_language(client: Client, tmp_path: Path) -> None:
    addresses = every_page(client, tmp_path)
    assert "The report holds, bit for bit" in client.get(addresses[-1]).text
    left = {}
    for language in ("de", "fr", "es"):
        for address in addresses:
            if address.startswith("/pe") and address.endswith("/report") and language != "de":
                continue  # tests/report/test_language.py has them in all languages
            page = client.get(address, Accept_Language=language).text
            assert f'<html lang="{language}">' in page
            left[language, address] = english_left(page)
    assert {place: texts for place, texts in left.items() if texts} == {}
    english = sum(len(english_left(client.get(address).text)) for address in addresses[:-1])
    assert english > 100  # what would be seen, if it were left


def test_photos_are_judged_and_errors_told_in_it(client: Client) -> None:
    person = client.new_person()
    client.post("/language", language="fr", back=f"{person}/photos")
    client.upload(f"{person}/photos", drawn(NAME, 2))
    page = client.settled(f"{person}/photos")
    assert "il en manque 13 pour les 15" in page
    wrong = client.post("/person", name="Jane Doe").text
    assert "Cela n’a pas fonctionné" in wrong
    assert "Dites pourquoi cette personne peut être testée." in wrong
    wrong = client.upload("/people", [], path="/no/such", basis="yes").text
    assert '<span lang="en">/no/such: no such folder' in wrong


def test_a_page_offers_the_others_and_keeps_what_was_chosen(client: Client) -> None:
    reply = client.post("/language", language="es", back="/help")
    assert (reply.status, reply.headers["location"]) == (303, "/help")
    assert '<html lang="es">' in client.get("/help", Accept_Language="de").text
    for back in ("//evil.example/", "https://evil.example", "/\\evil.example"):
        assert client.post("/language", language="xx", back=back).headers["location"] == "/"
    page = client.get("/").text
    assert re.findall(r'name="language" value="(..)"', page) == list(HEADINGS)
    client.post("/language", language="en", back="/")


def test_it_starts_in_the_language_that_was_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, "--language", "fr") as served:
        served.enter()
        assert HEADINGS["fr"] in served.get("/", Accept_Language="de").text

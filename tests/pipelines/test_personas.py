"""Planted personas: the seal, the p-values of the draw, and both verbs."""

from __future__ import annotations

import csv
import json
import stat
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index.cli.main import run as run_command
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation.personas import p_of_ranks, rank_of
from idia_index.pipelines.personas import (
    DRAWN,
    KEY,
    MANIFEST,
    audit_personas,
    make_personas,
    read_personas,
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "out"
    make_personas(folder, 4, 9)
    for number in (1, 2, 4):
        make_images(folder / "photos" / f"{number:03d}", 3, seed=number)
    return folder


def test_each_persona_has_names_of_its_own_and_the_draw_is_the_owners(planted: Path) -> None:
    manifest, drawn = read_personas(planted)
    every = [name for persona in manifest.personas for name in persona.names]
    assert len(every) == len(set(every)) == 40
    rows = list(csv.DictReader((planted / DRAWN).read_text().splitlines()))
    assert [row["name"] for row in rows] == [
        persona.names[place] for persona, place in zip(manifest.personas, drawn, strict=True)
    ]
    public = (planted / MANIFEST).read_text()
    assert json.loads(public)["seal"] not in (planted / KEY).read_text()
    for file in (KEY, DRAWN):
        assert stat.S_IMODE((planted / file).stat().st_mode) == 0o600


def test_draws_are_uniform_and_differ(tmp_path: Path) -> None:
    make_personas(tmp_path / "a", 400, 1)
    _, drawn = read_personas(tmp_path / "a")
    assert 140 < sum(drawn) < 260  # seven standard deviations


@pytest.mark.parametrize("what", ["name", "draw", "seal", "salt"])
def test_whatever_is_changed_after_the_draw_is_refused_in_one_line(
    tmp_path: Path, what: str
) -> None:
    make_personas(tmp_path / "a", 2, 3)
    manifest = json.loads((tmp_path / "a" / MANIFEST).read_text())
    key = json.loads((tmp_path / "a" / KEY).read_text())
    if what == "name":
        manifest["personas"][0]["names"][0] = "Jane Doe"
    elif what == "draw":
        key["secret"][1] = (key["secret"][1] + 1) % 4
    elif what == "seal":
        manifest["seal"] = "0" * 64
    else:
        key["salt"] = "0" * 64
    (tmp_path / "a" / MANIFEST).write_text(json.dumps(manifest))
    (tmp_path / "a" / KEY).write_text(json.dumps(key))
    with pytest.raises(InputError, match="its seal does not match") as error:
        read_personas(tmp_path / "a")
    assert "\n" not in str(error.value)


def test_a_folder_that_holds_something_is_left_alone(planted: Path) -> None:
    before = (planted / KEY).read_bytes()
    with pytest.raises(InputError, match="already exists; choose"):
        make_personas(planted, 1, 1)
    assert (planted / KEY).read_bytes() == before


@pytest.mark.parametrize("names", [2, 3])
@pytest.mark.parametrize("people", [1, 2, 4])
def test_the_p_value_of_all_is_that_of_counting_every_draw(people: int, names: int) -> None:
    every = list(product(range(1, names + 1), repeat=people))
    for ranks in every:
        smaller = sum(sum(other) <= sum(ranks) for other in every)
        assert p_of_ranks(ranks, names) == pytest.approx(smaller / len(every))


def test_unplanted_p_values_are_uniform_whatever_the_model_prefers() -> None:
    """A thousand personas of a model that likes some names far better than others."""
    random = np.random.default_rng(7)
    liking = 3 * random.standard_normal(20)
    p = [
        rank_of(liking + random.standard_normal(20), int(random.integers(20))) / 20
        for _ in range(1000)
    ]
    counts = np.bincount(np.rint(np.array(p) * 20).astype(int) - 1, minlength=20)
    assert ((counts - 50) ** 2 / 50).sum() < 43.8  # chi-squared, 19 degrees of freedom: p = 0.001


def test_ties_count_against_the_drawn_name() -> None:
    assert rank_of(np.array([1.0, 1.0, 0.0]), 0) == 2 and rank_of(np.zeros(5), 3) == 5


def test_an_audit_ranks_and_says_who_has_no_photos(planted: Path) -> None:
    found = audit_personas(Backend(ToyBackend(model="toy")), planted, lambda *_: None)
    assert [each.person for each in found.personas] == ["001", "002", "004"]
    assert found.not_tested == ("003",)
    assert all(each.p_value == each.rank / 10 and each.images == 3 for each in found.personas)
    assert found.p_value == p_of_ranks([each.rank for each in found.personas], 10)


class Knowing(ToyBackend):
    """A model that saw each persona with the name that was drawn."""

    def __init__(self, folder: Path) -> None:
        super().__init__(model="toy")
        manifest, drawn = read_personas(folder)
        self.known = {
            persona.names[place]: int(persona.person)
            for persona, place in zip(manifest.personas, drawn, strict=True)
        }

    def embed_texts(self, texts):  # type: ignore[no-untyped-def]
        rows = super().embed_texts(texts)
        for row, text in zip(rows, texts, strict=True):
            for name, number in self.known.items():
                if name in text:
                    image = np.random.default_rng(number).integers(0, 256, (12, 10, 3), np.uint8)
                    row += super().embed_images([to_image(image)])[0]
        return rows


def to_image(pixels: np.ndarray):  # type: ignore[no-untyped-def,type-arg]
    from PIL import Image

    return Image.fromarray(pixels.astype(np.uint8))


def test_a_model_that_knows_them_ranks_them_first(planted: Path, tmp_path: Path) -> None:
    for number in (1, 2, 4):
        photos = planted / "photos" / f"{number:03d}"
        for extra in sorted(photos.iterdir())[1:]:
            extra.unlink()
    found = audit_personas(Backend(Knowing(planted)), planted, lambda *_: None)
    assert [each.rank for each in found.personas] == [1, 1, 1]
    assert found.p_value == pytest.approx(1 / 1000)


@pytest.mark.usefixtures("toy_plugin")
def test_both_verbs_speak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    make = ["persona", "make", str(out), "--people", "2", "--names", "3"]
    assert run_command(make, debug=True) == 0
    assert "each with a name drawn from 4" in capsys.readouterr().out
    assert run_command(make, debug=False) == 2
    assert "already exists; choose" in capsys.readouterr().err
    audit = ["persona", "audit", "toy", str(out), "--backend", "toy"]
    assert run_command(audit, debug=False) == 2
    assert "nobody has photos" in capsys.readouterr().err
    make_images(out / "photos" / "001", 2)
    assert run_command([*audit, "--json"], debug=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "idia-index/persona-audit/1" and document["not_tested"] == ["002"]
    assert run_command(audit, debug=True) == 0
    assert "the seal is valid" in capsys.readouterr().out

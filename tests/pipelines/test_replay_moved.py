"""Replay of a report whose photos were moved or renamed: found by their bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import cli
from idia_index.errors import InputError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.subjects.subjects import read_subjects
from idia_index.support.text import json_text

pytestmark = pytest.mark.usefixtures("toy_plugin")

NAMES = ("Jane Doe", "Ng Wei", "Mary Roe", "Juan Mora")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def replayed(*arguments: object) -> tuple[dict[str, Any], set[str]]:
    data = json.loads(run("replay", *arguments, "--json").stdout)
    return data, {difference["where"] for difference in data["differences"]}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of people and a table of the same, with a report of each.

    One person has a file that is no photo, and a copy.
    """
    place = tmp_path_factory.mktemp("audited")
    index = build_index(place / "i", ToyBackend(model="toy"), make_names([*NAMES, "A B", "C D"]))
    lines = ["name,path,membership,training_count"]
    for number, name in enumerate(NAMES):
        make_images(place / "kept" / name.replace(" ", "_"), 3, seed=number)
        role = "member" if number % 2 else "non_member"
        lines.append(f"{name},people/{name.replace(' ', '_')},{role},{number}")
    own = place / "kept" / "Jane_Doe"
    (own / "bad.png").write_text("no image")
    shutil.copy(own / "01.png", own / "copy.png")
    (place / "kept.csv").write_text("\n".join(lines) + "\n")
    restore(place)
    for source, out in ((place / "people", "of folder"), (place / "t.csv", "of table")):
        people = read_subjects(source)
        evidence = gather(index, ToyBackend(model="toy"), people, Measurement())
        found = evidence.from_subjects(source)
        text = json_text(evaluation_result(found, settings_for_all(found)).to_dict(), indent=1)
        (place / out).mkdir()
        (place / out / "report.json").write_text(text)
    return place


def restore(place: Path) -> None:
    """Puts everything where the reports have it."""
    for name in ("people", "elsewhere", "heap", "new"):
        shutil.rmtree(place / name, ignore_errors=True)
    shutil.copytree(place / "kept", place / "people")
    shutil.copy(place / "kept.csv", place / "t.csv")


@pytest.fixture
def world(audited: Path) -> Path:
    restore(audited)
    return audited


def renamed(world: Path) -> Path:
    """The same people, under other names of files, in another order."""
    moved = world / "elsewhere" / "photos"
    shutil.move(world / "people", moved)
    for folder in moved.iterdir():
        for number, file in enumerate(sorted(folder.iterdir())):
            file.rename(folder / f"{9 - number} renamed{file.suffix}")
    return moved


def test_a_folder_of_people_moved_renamed_and_with_copies_holds(world: Path) -> None:
    out = world / "of folder"
    moved = renamed(world)
    some = next((moved / "Ng_Wei").iterdir())
    shutil.copy(some, moved / "Ng_Wei" / "a copy.png")
    shutil.copy(some, moved / "loose.png")
    (moved / "Ng_Wei" / "notes.txt").write_text("no photo")
    gone = run("replay", out)
    assert isinstance(gone.exception, InputError) and "no longer exists" in str(gone.exception)
    told = run("replay", out, "--subjects", moved)
    assert told.exit_code == 0, told.output
    assert "holds, bit for bit" in told.output and "12 photos moved" in told.output
    assert f"compared with {moved}" in told.output


def test_photos_in_one_heap_hold_and_say_that_people_are_not_compared(world: Path) -> None:
    out, heap = world / "of table", world / "heap"
    heap.mkdir()
    for number, file in enumerate(sorted((world / "people").rglob("*.png"))):
        file.rename(heap / f"{number}")
    (world / "t.csv").unlink()
    told = run("replay", out, "--subjects", heap)
    assert told.exit_code == 0, told.output
    assert "holds, bit for bit" in told.output and "NOT compared" in told.output


def test_a_moved_table_tells_of_people_and_truth(world: Path) -> None:
    out = world / "of table"
    (world / "new").mkdir()
    shutil.move(world / "people", world / "new" / "people")
    table = world / "new" / "t.csv"
    shutil.move(world / "t.csv", table)
    data, found = replayed(out, "--subjects", table)
    assert data["exact"] and data["source"] == str(table) and data["moved"] == 12, found
    table.write_text(table.read_text().replace("people/Ng_Wei,member", "people/Ng_Wei,non_member"))
    data, found = replayed(out, "--subjects", table)
    assert "subjects[Ng Wei].membership" in found


@pytest.mark.slow
def test_who_is_whose_shows_in_a_folder(world: Path) -> None:
    out = world / "of table"
    moved = renamed(world)
    data, found = replayed(out, "--subjects", moved)
    assert data["exact"] and "membership and training counts are the report's" in data["source"]
    photo = next((moved / "Mary_Roe").iterdir())
    photo.rename(moved / "Ng_Wei" / "hers.png")
    _, found = replayed(out, "--subjects", moved)
    assert {"subjects[Mary Roe]", "subjects[Ng Wei].images"} <= found
    (moved / "Ng_Wei" / "hers.png").rename(photo)
    make_images(moved / "New_Person", 3, seed=9)
    _, found = replayed(out, "--subjects", moved)
    assert "subjects[New Person]" in found


def test_names_that_went_to_other_photos_deceive_nobody(world: Path) -> None:
    out = world / "of folder"
    own = world / "people" / "Ng_Wei"
    (own / "00.png").rename(own / "x.png")
    (own / "01.png").rename(own / "00.png")
    (own / "x.png").rename(own / "01.png")
    data, found = replayed(out, "--subjects", world / "people")
    assert data["exact"] and data["moved"] == 2, found
    # A photo that the report never saw, under the name of one that it did.
    (own / "02.png").rename(own / "old.png")
    shutil.move(make_images(world / "new", 1, seed=9) / "00.png", own / "02.png")
    _, found = replayed(out, "--subjects", world / "people")
    assert "subjects[Ng Wei].images" in found


def test_a_photo_that_is_nowhere_is_named(world: Path) -> None:
    out = world / "of folder"
    moved = renamed(world)
    sorted((moved / "Mary_Roe").iterdir())[-1].unlink()
    told = run("replay", out, "--subjects", moved)
    assert isinstance(told.exception, InputError)
    assert "Mary_Roe/00.png (1 photo of 12 not found by SHA-256)" in str(told.exception)
    assert isinstance(run("replay", out, "--subjects", world / "nothing").exception, InputError)

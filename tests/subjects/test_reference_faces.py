"""Reference faces: how folders and tables are read, and how audits and queries use them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import audit, build_index, make_subject, query
from idia_index.encode.image_cache import FILE
from idia_index.errors import InputError
from idia_index.evaluation.settings import Measurement
from idia_index.pipelines.evaluate import gather, settings_for_all
from idia_index.pipelines.load import load_backend_for
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.replay import replay
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names
from idia_index.search.index import Index
from idia_index.subjects.reference_faces import FEWEST, read_reference_faces

NAMES = ["Mary Smith", "Anna Jones", "John Brown", "Peter White", "Laura Hill", "Xqz Vvk"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """105 women, one in a folder of two images, and 104 men."""
    folder = tmp_path_factory.mktemp("faces")
    make_images(folder / "female", 104, seed=1)
    make_images(folder / "female" / "one person", 2, seed=2)
    make_images(folder / "male", 104, seed=3)
    (folder / "female" / "notes.txt").write_text("not a face")
    return folder


@pytest.fixture
def index(tmp_path: Path, toy: ToyBackend) -> Index:
    return build_index(tmp_path / "i", toy, make_names(NAMES))


def test_a_folder_has_an_image_or_a_folder_for_each_person(faces: Path) -> None:
    found = read_reference_faces(faces)
    assert found.sexes == ("f",) * 105 + ("m",) * 104
    assert sorted({len(person.images) for person in found.people}) == [1, 2]


def test_a_table_says_the_same(faces: Path, tmp_path: Path) -> None:
    women, man = faces / "female" / "one person", faces / "male" / "03.png"
    (tmp_path / "faces.csv").write_text(f"path,sex\n{women},F\n{man},male\n")
    found = read_reference_faces(tmp_path / "faces.csv")
    assert found.sexes == ("f", "m")
    assert [len(person.images) for person in found.people] == [2, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,sex\na.png,unknown", "line 2: sex is 'unknown'"),
        ("path,sex\n,male", "line 2"),
        ("path\na.png", "lacks a column path or sex"),
        ("path,sex\nnone.png,male", "no such image"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(InputError, match=said) as error:
        read_reference_faces(tmp_path / "faces.csv")
    assert "\n" not in str(error.value)


def test_a_folder_without_the_sexes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_reference_faces(tmp_path / "none")
    make_images(tmp_path / "faces" / "people", 2)
    with pytest.raises(InputError, match="neither a folder female"):
        read_reference_faces(tmp_path / "faces")


@pytest.mark.slow
def test_one_person_has_a_p_value_for_the_name(
    faces: Path, index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    who = make_subject("Mary Smith", [make_images(tmp_path / "some", 6, seed=9)])
    alone = audit(index, toy, [who])
    assert alone.subjects[0].name_fixed_p_value is None and alone.subjects[0].pmi is None
    assert any("not valid for the single name" in note for note in alone.notes)
    found = audit(index, toy, [who], reference_faces=faces)
    (tested,) = found.subjects
    assert tested.references == 105 and tested.reference_photos == 1
    assert tested.name_fixed_p_value is not None and tested.pmi is not None
    assert not any("not valid for the single name" in note for note in found.notes)
    asked = query(index, toy, who, reference_faces=faces)
    assert asked.subjects[0].p_value == tested.p_value
    assert query(index, toy, who).subjects[0].p_value == alone.subjects[0].p_value
    # Every image is remembered once: the subject's six and the faces'.
    record = 32 + 4 * toy.fingerprint.dim + 16
    assert (index.path / FILE).stat().st_size == (6 + 210) * record


def test_a_name_of_unknown_sex_is_held_against_both(
    faces: Path, index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    who = make_subject("Xqz Vvk", [make_images(tmp_path / "some", 1, seed=9)])
    evidence = gather(index, toy, [who], Measurement(), reference_faces=faces)
    assert evidence.controls.references.tolist() == [104]


@pytest.mark.slow
def test_too_few_faces_of_the_sex_are_refused(
    faces: Path, index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    shutil.copytree(faces / "female", tmp_path / "few" / "female")
    shutil.copytree(faces / "male", tmp_path / "few" / "male")
    for photo in sorted((tmp_path / "few" / "male").iterdir())[FEWEST - 1 :]:
        photo.unlink()
    photos = [make_images(tmp_path / "some", 1, seed=9)]
    audit(index, toy, [make_subject("Mary Smith", photos)], reference_faces=tmp_path / "few")
    for name in ("John Brown", "Xqz Vvk"):
        with pytest.raises(InputError, match=r"99 male reference faces, but .* at least 100"):
            audit(index, toy, [make_subject(name, photos)], reference_faces=tmp_path / "few")


def test_one_portrait_counts_once_however_often_it_is_there(
    index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    few = make_images(tmp_path / "few" / "female", FEWEST - 1, seed=5)
    shutil.copy(few / "00.png", few / "again.png")
    photos = [make_images(tmp_path / "some", 1, seed=9)]
    with pytest.raises(InputError, match="99 female reference faces"):
        audit(index, toy, [make_subject("Mary Smith", photos)], reference_faces=few.parent)


@pytest.mark.slow
@pytest.mark.usefixtures("toy_plugin")
def test_a_replay_takes_the_same_faces(
    faces: Path, index: Index, toy: ToyBackend, tmp_path: Path
) -> None:
    own = tmp_path / "faces"
    shutil.copytree(faces, own)
    photos = make_images(tmp_path / "some", 4, seed=9)
    subjects = [make_subject("Mary Smith", [photos]), make_subject("John Brown", [photos])]
    evidence = gather(index, toy, subjects, Measurement(), reference_faces=own)
    assert not np.isnan(evidence.controls.name_fixed_p_values).any()
    report = write_evaluation(evidence, settings_for_all(evidence), tmp_path / "out")
    told = report.p_values.reference_faces
    assert told is not None and (told.female, told.male) == (105, 104)
    recorded, backend = read_report(tmp_path / "out"), load_backend_for(index)
    again = replay(recorded, index, backend, lambda *_: None)
    assert again.holds and again.exact
    (own / "female" / "00.png").unlink()
    changed = replay(recorded, index, backend, lambda *_: None)
    assert not changed.holds
    assert any("reference_faces" in each.where for each in changed.differences)

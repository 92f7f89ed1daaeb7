"""A folder of many people is not judged as one."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import make_images

from idia_index.errors import InputError
from idia_index.subjects.subjects import make_subject


def test_a_folder_of_several_people_is_refused_with_the_fix(tmp_path: Path) -> None:
    for name in ("Jane_Doe", "John_Roe", "Mary_Major", "Richard_Miles"):
        make_images(tmp_path / "people" / name, 1)
    told = r"people: its images are in 4 folders \('Jane_Doe', .* and 1 more\).*idia-index audit"
    for given in (tmp_path / "people", tmp_path):  # the folder above it, too
        with pytest.raises(InputError, match=r"in 4 folders \('Jane_Doe'"):
            make_subject("Jane Doe", [given])
    with pytest.raises(InputError, match=told):
        make_subject("Jane Doe", [tmp_path / "people"])


def test_one_stranger_beside_images_of_his_own_is_enough(tmp_path: Path) -> None:
    make_images(tmp_path / "people", 1)
    for name in ("Jane_Doe", "John_Roe"):
        make_images(tmp_path / "people" / name, 1)
    with pytest.raises(InputError, match="in 2 folders"):
        make_subject("Jane Doe", [tmp_path / "people"])


def test_one_persons_folders_are_taken_one_by_one_or_in_a_chain(tmp_path: Path) -> None:
    folders = [make_images(tmp_path / "photos" / year, 2) for year in ("2020", "2021")]
    assert len(make_subject("Jane Doe", folders).images) == 4
    make_images(tmp_path / "chain", 1)
    make_images(tmp_path / "chain" / "more" / "old", 1)
    (tmp_path / "chain" / "notes").mkdir()
    (tmp_path / "chain" / "notes" / "a.txt").write_text("no image")
    assert len(make_subject("Jane Doe", [tmp_path / "chain"]).images) == 2

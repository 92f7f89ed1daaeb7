"""Folders as systems leave them: people are found, photos used, other files ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import make_images
from hostile_files import encoded, photo
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from idia_index.errors import InputError
from idia_index.subjects.subjects import make_subject, read_subjects

# What systems and programs leave in a folder of photos: the name, and what it holds.
NOISE: dict[str, dict[str, bytes]] = {
    "macOS": {
        ".DS_Store": b"\0\0\0\1Bud1",
        "._a.jpg": b"\0\5\x16\7",
        "__MACOSX/._a.jpg": b"\0\5\x16\7",
        ".Trashes/b.jpg": encoded(photo(7), "JPEG"),
        "Icon\r": b"",
        "IMG_1.AAE": b"<?xml",
    },
    "Windows": {
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
        "desktop.ini": b"[x]",
        "ehthumbs.db": b"x",
        "$RECYCLE.BIN/$R1.jpg": encoded(photo(7), "JPEG"),
        "System Volume Information/x": b"x",
        "~$list.docx": b"x",
    },
    "Synology": {
        "a.jpg@SynoEAStream": b"x",
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg": encoded(photo(7), "JPEG"),
        "#recycle/a.jpg": encoded(photo(7), "JPEG"),
        "SYNOINDEX_x.jpg": encoded(photo(7), "JPEG"),
    },
    "shares": {
        "@Thumb/a.jpg": encoded(photo(7), "JPEG"),
        "CaptureOne/Cache/Proxies/a.jpg": encoded(photo(7), "JPEG"),
        "~snapshot/hourly/a.jpg": encoded(photo(7), "JPEG"),
        "iPhoto Library.photolibrary/Masters/a.jpg": encoded(photo(7), "JPEG"),
        "b.jpg.download/b.jpg": encoded(photo(7), "JPEG"),
        "b.jpg.filepart": encoded(photo(7), "JPEG"),
    },
    "Linux": {"lost+found/a.jpg": encoded(photo(7), "JPEG"), ".thumbnails/a.png": b"x"},
    "Google Takeout": {
        "a.jpg.json": b"{}",
        "a.jpg.supplemental-metadata.json": b"{}",
        "a.jpg.supplemental-me.json": b"{}",
        "a.jpg.supplemental-metadata(1).json": b"{}",
        "metadata.json": b"{}",
        "Trash/b.jpg": encoded(photo(7), "JPEG"),
        "a.MP4": b"\0\0\0\x18ftypmp42",
    },
    "cameras": {"a.xmp": b"<x", "a.THM": encoded(photo(7), "JPEG"), "a.MOV": b"\0\0\0\x14ftypqt  "},
}


def leave(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def photos(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        leave(folder, {name: encoded(photo(100 + number), "JPEG")})


@pytest.mark.parametrize("system", NOISE)
def test_what_systems_leave_is_passed_over_without_a_word(tmp_path: Path, system: str) -> None:
    person = tmp_path / "people" / "Jane_Doe"
    photos(person, "a.jpg", "more/b.jpg")
    leave(person, NOISE[system])
    leave(tmp_path / "people", NOISE[system])
    leave(tmp_path / "people" / "John_Roe", NOISE[system])
    photos(tmp_path / "people" / "John_Roe", "a.jpg")
    found = read_subjects(tmp_path / "people")
    assert [s.name for s in found] == ["Jane Doe", "John Roe"] and not found.skipped
    assert [p.name for p in found[0].images] == ["a.jpg", "b.jpg"]
    assert not found[0].skipped and not found[1].skipped


@settings(max_examples=30)
@given(st.sets(st.sampled_from([(s, n) for s, names in NOISE.items() for n in names])))
def test_any_mixture_leaves_the_same_photos(
    tmp_path_factory: pytest.TempPathFactory, noise: set[tuple[str, str]]
) -> None:
    person = tmp_path_factory.mktemp("p") / "Jane_Doe"
    photos(person, "a.jpg", "IMG_1.jpg", "2020/c.jpg")
    for system, name in noise:
        leave(person, {name: NOISE[system][name]})
    (subject,) = read_subjects(person.parent)
    assert [p.name for p in subject.images] == ["IMG_1.jpg", "a.jpg", "c.jpg"]
    assert not subject.skipped


def test_photos_are_told_by_content(tmp_path: Path) -> None:
    data = encoded(photo(), "JPEG")
    names = ("x", "x.jpe", "x.jpg_large", "x.jpg?w=300", "x.mpo", "x.JPG:orig", "x.txt", "x.heic")
    leave(tmp_path / "p", dict.fromkeys(names, data))
    leave(tmp_path / "p", {"notes.txt": b"mine", "page.jpg": b"<!DOCTYPE html><html>"})
    leave(tmp_path / "p", {"lfs.jpg": b"version https://git-lfs.github.com/spec/v1\n"})
    leave(
        tmp_path / "p", {"json.jpg": b'{"error": 403}', "xml.jpg": b"<?xml version='1.0'?><Error>"}
    )
    leave(tmp_path / "p", {"text.jpg": b"data:image/jpeg;base64,/9j/", "mac.jpg": b"\0\5\x16\7"})
    subject = make_subject("Jane Doe", [tmp_path / "p"])
    assert {p.name for p in subject.images} == set(names)
    told = {each.path.name: each.reason for each in subject.skipped}
    assert "JSON instead of an image" in told["json.jpg"] and "base64" in told["text.jpg"]
    assert "a server's answer" in told["xml.jpg"] and "a macOS metadata file" in told["mac.jpg"]
    assert "not an image" in told["notes.txt"] and "a web page" in told["page.jpg"]
    assert "git lfs pull" in told["lfs.jpg"]


def test_thumbnails_raw_files_and_films_are_listed_and_not_judged(tmp_path: Path) -> None:
    person = tmp_path / "Jane_Doe"
    photos(person, "a.jpg", "a_thumb.jpg", "thumb_a.jpg", "a-150x150.jpg", "small_b.jpg")
    photos(person / "thumbnails", "a.jpg")
    leave(
        person, {"b.mp4": b"\0\0\0\x18ftypmp42", "c.NEF": b"MM\0*", "d.cr3": b"\0\0\0\x18ftypcrx "}
    )
    (subject,) = read_subjects(tmp_path)
    assert [p.name for p in subject.images] == ["a.jpg", "small_b.jpg"]
    told = {each.path.name: each.reason for each in subject.skipped}
    assert told.keys() == {
        "a_thumb.jpg", "thumb_a.jpg", "a-150x150.jpg", "thumbnails", "b.mp4", "c.NEF", "d.cr3"
    }  # fmt: skip
    assert "raw file" in told["c.NEF"] and "a film" in told["b.mp4"]


def test_who_is_left_with_nothing_is_told_what_there_was(tmp_path: Path) -> None:
    leave(tmp_path / "Jane_Doe", {"Thumbs.db": b"x", "IMG_1.MOV": b"\0\0\0\x14ftypqt  "})
    photos(tmp_path / "John_Roe", "a.jpg")
    (skipped,) = read_subjects(tmp_path).skipped
    assert "has no photo among 2 files left out" in skipped.reason
    assert "Thumbs.db: a system file" in skipped.reason and "a film" in skipped.reason


def test_face_scrub_and_folders_of_folders_are_people(tmp_path: Path) -> None:
    for group, name in (("actors", "Aaron_Eckhart"), ("actresses", "Zoe_Saldana")):
        photos(tmp_path / "fs" / group / name / "images", "1.jpg", "2.jpg")
        photos(tmp_path / "fs" / group / name / "face", "1.png", "2.png")
    found = read_subjects(tmp_path / "fs")
    assert [s.name for s in found] == ["Aaron Eckhart", "Zoe Saldana"]
    assert all({p.parent.name for p in s.images} == {"face"} for s in found)
    assert "holds the photos of the faces" in found[0].skipped[0].reason
    assert "people found below" in found.notes[0]
    photos(tmp_path / "t" / "Takeout" / "Google Photos" / "Jane Doe", "a.jpg")
    photos(tmp_path / "t" / "Takeout" / "Google Photos" / "John Roe", "a.jpg")
    leave(tmp_path / "t" / "Takeout", {"archive_browser.html": b"<html>"})
    assert [s.name for s in read_subjects(tmp_path / "t")] == ["Jane Doe", "John Roe"]
    photos(tmp_path / "fs" / "images" / "faces" / "Jane_Doe", "a.jpg")
    assert "Jane Doe" in [s.name for s in read_subjects(tmp_path / "fs")]


def test_a_persons_own_folders_are_the_persons(tmp_path: Path) -> None:
    photos(
        tmp_path / "Jane_Doe",
        "2019/a.jpg",
        "2020-05/b.jpg",
        "Photos from 2021/c.jpg",
        "100APPLE/d.jpg",
    )
    photos(tmp_path / "Jane_Doe", "DCIM/e.jpg", "Jane_Doe/f.jpg")
    (subject,) = read_subjects(tmp_path)
    assert subject.name == "Jane Doe" and len(subject.images) == 6


def test_an_audit_refuses_several_people_in_one_folder_as_a_query_does(tmp_path: Path) -> None:
    photos(tmp_path / "Jane_Doe", "a.jpg", "with John Roe/b.jpg", "with Mary Major/c.jpg")
    photos(tmp_path / "Ann_Lee", "a.jpg")
    found = read_subjects(tmp_path)
    assert [s.name for s in found] == ["Ann Lee"]
    assert "as if of several people" in found.skipped[0].reason
    with pytest.raises(InputError, match="as if of several people"):
        make_subject("Jane Doe", [tmp_path / "Jane_Doe"])


def test_the_same_bytes_are_one_vote(tmp_path: Path) -> None:
    from toy_backend import ToyBackend

    from idia_index.encode.backend import Backend
    from idia_index.encode.image_cache import ImageCache
    from idia_index.subjects.subject_images import encode_subjects

    folder = make_images(tmp_path / "Jane_Doe", 3)
    (folder / "copy.png").write_bytes((folder / "00.png").read_bytes())
    other = tmp_path / "John_Roe"
    other.mkdir()
    (other / "a.png").write_bytes((folder / "00.png").read_bytes())
    toy = Backend(ToyBackend(model="toy"))
    people = read_subjects(tmp_path)
    for strict in (False, True):
        cache = ImageCache(None, toy.fingerprint, "")
        found = encode_subjects(toy, people, cache, strict)
        assert [p.name for p in found.paths] == ["00.png", "01.png", "02.png", "a.png"]
        (skipped,) = found.skipped[0]
        assert "copy.png: the same bytes as" in skipped.reason and not found.skipped[1]
    assert json.dumps([s.reason for s in found.skipped[0]])


def test_a_folder_of_thumbnails_given_for_a_person_is_told(tmp_path: Path) -> None:
    photos(tmp_path / "Jane_Doe" / "@eaDir", "a.jpg")
    with pytest.raises(InputError, match=r"@eaDir: a system folder"):
        read_subjects(tmp_path)
    Image.new("RGB", (3, 3)).save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match="no photo among 1 file"):
        read_subjects(tmp_path)


@pytest.mark.parametrize(
    ("names", "judged", "told"),
    [
        (("a.jpg", "a-edited.jpg"), {"a.jpg"}, "an edited or original version"),
        (("a.jpg", "a-bearbeitet.jpg"), {"a.jpg"}, "an edited or original version"),
        (("IMG_0001.jpg", "IMG_E0001.jpg"), {"IMG_0001.jpg"}, "an edited or original version"),
        (("a.jpg", "a.jpg_original"), {"a.jpg"}, "an edited or original version"),
        (("a-150x150.jpg", "a-1024x683.jpg"), {"a-1024x683.jpg"}, "a thumbnail"),
        (("a.jpg", "a-1024x683.jpg"), {"a.jpg"}, "a thumbnail"),
        (("face/a.png", "a.jpg"), {"a.png"}, "that a face in the folder beside it was cut from"),
        (("IMG_0001.HEIC", "IMG_0001.png"), {"IMG_0001.HEIC"}, "the same shot as IMG_0001.HEIC"),
        (("a.jpg", "a-EFFECTS.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "a-scaled.jpg", "a-e1580000000000.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "a_flip.jpg", "a_aug1.jpg", "a_rot90.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "a@2x.jpg", "a~2.jpg", "a.jpg~"), {"a.jpg"}, "edited"),
        (("a.jpg", "a.sync-conflict-20200101-101010-ABC.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "a (Jane's conflicted copy 2020-01-01).jpg"), {"a.jpg"}, "edited"),
        (("a.heic", "a.heic.jpg"), {"a.heic"}, "edited"),
        (("P-01.COVER.jpg", "P-02.ORIGINAL.jpg"), {"P-01.COVER.jpg"}, "edited"),
        (("a.jpg", "Originals/a.jpg", "darktable_exported/a.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "Originals/b.jpg"), {"a.jpg", "b.jpg"}, ""),
        (("a.jpg", "[Originals]/a.jpg", "a_HDR.jpg"), {"a.jpg"}, "edited"),
        (("a.jpg", "a(1).jpg", "a-edited(1).jpg"), {"a.jpg", "a(1).jpg"}, "edited"),
        (("a.jpg", "b-COLLAGE.jpg", "c-ANIMATION(2).jpg"), {"a.jpg"}, "composed of other"),
        (("a.jpg", "PRIVATE/THMBNL/b.jpg"), {"a.jpg"}, "a folder of thumbnails"),
        (("a_flip.jpg", "b~2.jpg"), {"a_flip.jpg", "b~2.jpg"}, ""),
        (("a.jpg", "a(1).jpg"), {"a.jpg", "a(1).jpg"}, ""),
        (("1.jpg", "1.png"), {"1.jpg", "1.png"}, ""),
        (("-edited.jpg", "b-150x150.jpg"), {"-edited.jpg", "b-150x150.jpg"}, ""),
    ],
)
def test_a_photo_that_lies_there_twice_is_one_vote(
    tmp_path: Path, names: tuple[str, ...], judged: set[str], told: str
) -> None:
    for number, name in enumerate(names):
        form = "PNG" if name.endswith("png") else "JPEG"
        leave(tmp_path / "Jane_Doe", {name: encoded(photo(number), form)})
    (subject,) = read_subjects(tmp_path)
    assert {path.name for path in subject.images} == judged
    assert len(subject.skipped) == len(names) - len(judged)
    assert all(told in each.reason for each in subject.skipped)


JPEG = b"\xff\xd8\xff\xe0"  # what a photo begins with; nothing here decodes one
PEOPLE = st.dictionaries(
    st.sampled_from(["Jane Doe", "Ren\u00e9e M\u00fcller", "Conan O'Brien", "Ng Wei"]),
    st.sets(st.sampled_from(["IMG_0001", "PXL_2020", "x", "a (1)", "Mai"]), min_size=1),
    min_size=1,
)


def judged_of(folder: Path) -> dict[str, set[str]]:
    found = read_subjects(folder)
    assert not found.skipped
    return {s.name: {str(path.relative_to(folder)) for path in s.images} for s in found}


@settings(max_examples=25)
@given(PEOPLE, st.sampled_from(["", "actors/", "actresses/"]), st.integers(0, 2))
def test_folders_as_face_scrub_makes_them(
    tmp_path_factory: pytest.TempPathFactory, people: dict[str, set[str]], group: str, way: int
) -> None:
    """Faces beside the photos that they were cut from, in the three orders that are about."""
    root = tmp_path_factory.mktemp("f")
    expected: dict[str, set[str]] = {}
    for name, shots in people.items():
        folder = name.replace(" ", "_")
        for shot in shots:
            face = (
                f"{folder}/face/{shot}.png",
                f"{folder}/face/{shot}.png",
                f"faces/{folder}/{shot}.png",
            )
            whole = (
                f"{folder}/images/{shot}.jpg",
                f"{folder}/{shot}.jpg",
                f"images/{folder}/{shot}.jpg",
            )
            leave(root, {group + face[way]: JPEG, group + whole[way]: JPEG})
            expected.setdefault(name, set()).add(group + face[way])
    assert judged_of(root) == expected


@settings(max_examples=25)
@given(
    PEOPLE,
    st.sampled_from(["", "Takeout/Google Photos/", "Takeout/Google Fotos/"]),
    st.sets(st.sampled_from(range(9))),
)
def test_folders_as_google_takeout_makes_them(
    tmp_path_factory: pytest.TempPathFactory, people: dict[str, set[str]], top: str, ways: set[int]
) -> None:
    """Sidecars in their spellings, edited copies, films of live photos, albums' own files."""
    root = tmp_path_factory.mktemp("t")
    expected: dict[str, set[str]] = {}
    for name, shots in people.items():
        for shot in shots:
            beside = (
                "{}.jpg.json", "{}.jpg.supplemental-metadata.json", "{}.jpg.supplemental-me.json",
                "{}.jpg.supplemental-metadata(1).json", "{}.json", "{}-edited.jpg", "{}.MP4",
                "{}.jpg.MP4", "{}-bearbeitet.jpg",
            )  # fmt: skip
            leave(root, {f"{top}{name}/{beside[way].format(shot)}": JPEG for way in ways})
            leave(root, {f"{top}{name}/{shot}.jpg": JPEG, f"{top}{name}/metadata.json": b"{}"})
            expected.setdefault(name, set()).add(f"{top}{name}/{shot}.jpg")
    leave(root, {f"{top}Trash/x.jpg": JPEG, f"{top}print-subscriptions.json": b"{}"})
    assert judged_of(root) == expected


def test_who_is_left_with_nothing_is_told_every_reason_with_a_file_of_each(tmp_path: Path) -> None:
    films = {f"a{n}.MOV": b"\0\0\0\x14ftypqt  " for n in range(4)}
    leave(tmp_path / "Ann_Lee", {**films, "notes.pages": b"PK", "b.dng": b"II*\0", "c.json": b"{}"})
    with pytest.raises(InputError) as refused:
        make_subject("Ann Lee", [tmp_path / "Ann_Lee"])
    told = str(refused.value)
    assert "no photo among 7 files left out" in told and "\n" not in told
    assert "a0.MOV and 3 more: a film" in told and "a1.MOV" not in told
    assert all(name in told for name in ("notes.pages", "b.dng", "c.json"))

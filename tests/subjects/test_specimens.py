"""Realistic lists, tables, folders and SPECs: what errors and notes say about them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from conftest import make_images
from hostile_files import encoded, photo

from idia_index.errors import InputError, ModelError
from idia_index.plugins.specs import parse_spec
from idia_index.prompts.lint import lint_names, oddities
from idia_index.prompts.names import make_names, read_names
from idia_index.prompts.spelling import misspelt
from idia_index.subjects.subjects import make_subject, read_subjects


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Jane Doe, John Roe, Max Moe\n", "several names in one line"),
        ("Jane Doe; John Roe\n", "several names in one line"),
        ("Jane,Doe\nJohn,Roe\n", "commas without a space.*or first_name,last_name"),
        ("Jane Doe <jane@example.org>\nJohn Roe <j@example.org>\n", "has e-mail addresses"),
        ("https://e.org/wiki/Jane_Doe\nhttps://e.org/wiki/John_Roe\n", "has addresses of pages"),
        ("<li>Jane Doe</li>\n<li>John Roe</li>\n", "has markup"),
        ("'Jane Doe'\n'John Roe'\n", "has quotes around the names"),
        ("Q42\nQ5582\n", "has numbers in place of names"),
        ("0000045\n0000099\n", "has numbers in place of names"),
        ("names:\n  - Jane Doe\n  - John Roe\n", "looks like YAML"),
        ("['Jane Doe', 'John Roe']\n", "looks like JSON"),
        ("BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nEND:VCARD\n", "holds contact cards"),
        ("name=Jane Doe\nname = John Roe\n", "has settings"),
        ("J&uuml;rgen Doe\n&Eacute;mile Roe\n", "has entities of HTML"),
        ("000001.jpg 2880\n000002.jpg 2937\n", "has names of files"),
        ("Jane_Doe_0001.jpg\nJohn_Roe_0001.PNG\n", "has names of files"),
        ("people/Jane_Doe\npeople/John_Roe\n", "has paths"),
        ("people\\Jane Doe\npeople\\John Roe\n", "has paths"),
        ("\u201cJane Doe\u201d\n\u201cJohn Roe\u201d\n", "has quotes around the names"),
        ("`Jane Doe`\n`John Roe`\n", "has quotes around the names"),
        ("# People\n\n- Jane Doe\n- John Roe\n", "dashes before the names"),
        ("     12 Jane Doe\n      5 John Roe\n", "numbers before the names"),
        ("Jane Doe 12\nJohn Roe 5\n", "numbers after the names"),
    ],
)
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "n.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_names(tmp_path / "n.txt")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("Jane Doe\nJohn Roe\n".encode("utf-32"), "UTF-32.*save it as UTF-8"),
        (gzip.compress(b"Jane Doe\n", mtime=0), "a compressed file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS.*git lfs pull"),
        (b"ARROW1\0\0" + bytes(90), "a Feather file"),
        (b"<stata_dta><header>" + bytes(90), "a file of Stata"),
        (b"\x80\x04\x95" + bytes(90), "a pickle of Python"),
        (b"sas" + bytes(90), "a binary file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "n.txt").write_bytes(data)
    with pytest.raises(InputError, match=told):
        read_names(tmp_path / "n.txt")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Table 1\nname\nJane Doe\nJohn Roe\n", "1 line above the columns passed over"),
        ("Table 1,,\nname,,\nJane Doe,,\nJohn Roe,,\n", "1 line above the columns passed over"),
        ("| name | year |\n|---|:---:|\n| Jane Doe | 1980 |\n| John Roe | 1981 |\n", "bars"),
        ("doe, jane\nroe, john\n", "'doe, jane' is 'jane doe'"),
        ("Jane\xa0Doe\r\nJohn\u202fRoe\r\n", ""),
        ("item,itemLabel\nhttp://e.org/Q1,Jane Doe\nhttp://e.org/Q2,John Roe\n", "'itemLabel'"),
        ("nconst\tprimaryName\nnm1\tJane Doe\nnm2\tJohn Roe\n", "'primaryName' is name"),
    ],
)
def test_lists_in_other_forms_are_read_and_told(tmp_path: Path, text: str, note: str) -> None:
    (tmp_path / "n.txt").write_bytes(text.encode())
    names = read_names(tmp_path / "n.txt")
    assert [name.title() for name in names] == ["Jane Doe", "John Roe"]
    assert note in "".join(names.notes) and bool(names.notes) == bool(note)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Jane Doe and John Roe", "several"),
        ("Jane Doe / John Roe", "several"),
        ("Jane Doe; John Roe", "several"),
        ("Doe, Jane (1980)", "comma"),
        ("Doe\uff0cJane", "comma"),
        ("van dyke, dick", "comma"),
        ("Jane\u200dDoe", "joiner"),
        ("J\xc3\xbcrgen Doe", "encoding"),
        ("J\xc3\u0153rgen Doe", "encoding"),
        ("Participants of 2024", "number"),
        ("Jane Doe PhD", "degree"),
        ("Jane Doe, M.D.", "degree"),
        ("\xabJane Doe\xbb", "quote"),
        ("- Jane Doe", "stray"),
        ("Jane Doeson.", "stray"),
        ("#REF!", "stray"),
        ("NaN", "stray"),
        ("J%C3%BCrgen Doe", "stray"),
        ("name=Jane Doe", "stray"),
        ("Jane Doe - actress", "stray"),
        ("Jane Doe \u2013 actress", "stray"),
        ("Jane Doe: actress", "stray"),
        ("\xb7 Jane Doe", "stray"),
        ("Jane Doe*", "stray"),
        ("Jane Doe \U0001f3ac", "stray"),
        ("@janedoe", "stray"),
        ("Jane+Doe", "stray"),
        ("Ren?e Doe", "stray"),
        ("Jane D...", "stray"),
        ("Photos of Jane Doe", "stray"),
        ("Jane Doe et al.", "several"),
        ("Jane Doe feat. John Roe", "several"),
        ("Jane Doe vs. John Roe", "several"),
        ("Jane Doe aka JJ", "alias"),
        ("Jane Roe n\xe9e Doe", "alias"),
        ("J\u0430ne Doe", "letters"),
        ("DOE Jane", "order"),
        ("VAN DER ROE John", "order"),
        ("L\xc9VY Jane", "order"),
        ("DOE^JANE", "stray"),
        ("-Jane Doe", "stray"),
        ("Jane Doe\xae", "stray"),
        ('"Jane', "quote"),
        ('Doe"', "quote"),
        ("Jane Doe & John Roe", "several"),
        ("\U0001d409\U0001d41a\U0001d427\U0001d41e Doe", "letters"),
    ],
)
def test_names_that_are_no_names_are_told_of_candidates_and_subjects(
    tmp_path: Path, name: str, kind: str
) -> None:
    plain = [
        "JRR Tolkien",
        "Jane DOE",
        "LL Cool J",
        'Max "Jack" Moe',
        "Conan O'Brien",
        "Sammy Davis, Jr.",
        "\u0645\u06cc\u200c\u0622",
        "50 Cent",
    ]
    found = lint_names(make_names([*plain, name]))
    assert {each.value for each in found} == {name} and kind in {each.kind for each in found}
    (told,) = oddities([*plain, name])
    assert told.startswith(repr(name))


@pytest.mark.parametrize(
    "text",
    [
        "Davis, Sammy, Jr.\n",
        "Conan O'Brien\nSinéad O'Connor\n",
        "Jean-Luc Roe\n",
        "Zoë: Doe\nA B\n",
    ],
)
def test_what_is_a_list_of_names_stays_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.txt").write_text(text, encoding="utf-8")
    names = read_names(tmp_path / "n.txt")
    assert len(names) == text.count("\n")
    assert not any("space" in note for note in names.notes)


@pytest.mark.parametrize("text", ["JaneDoe\nJohnRoe\nMaxMoe\n", "jane-doe\njohn-roe\nmax-moe\n"])
def test_names_without_a_space_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.txt").write_text(text)
    assert "no name contains a space" in read_names(tmp_path / "n.txt").notes[0]


def test_titles_and_brackets_are_told(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("Dr. Jane Doe\nJohn Roe (actor)\nMax Moe\nDraga Doe\n")
    found = {f.value: f.kind for f in lint_names(read_names(tmp_path / "n.txt"))}
    assert found == {"Dr. Jane Doe": "title", "John Roe (actor)": "bracket"}


@pytest.mark.parametrize(
    "name",
    [
        "jane-doe", "JaneDoe", "Dr. Jane Doe", "Jane Doe, PhD", "Jane Doe (1)", "Jane Doe - Copy",
        "Jane Doe - Kopie", "Jane Doe-20240101T101010Z-001", "Prof. Dr. Jane Doe",
    ],
)  # fmt: skip
def test_a_candidate_in_other_clothes_is_near(name: str) -> None:
    assert misspelt([name], ["John Roe", "Jane Doe", "Max Moe"]) == {name: ("Jane Doe",)}
    assert misspelt(["007", "Zed Zoe"], ["John Roe", "1234"]) == {}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("https://example.org/a.jpg", "it is a URL: download it"),
        ("file:///photos/a.jpg", "without file://"),
        ("~/photos", "write the path in full"),
        ("photos/*.jpg", "name the folder, or each file"),
        (r"C:\Users\me\photos", "a Windows path"),
        (r"\\server\photos\a.jpg", "a Windows path"),
        ("D:/photos/a.jpg", "a Windows path"),
        ("$HOME/a.jpg", "in full, without variables"),
        ("${PHOTOS}/a.jpg", "in full, without variables"),
        ("%USERPROFILE%/a.jpg", "in full, without variables"),
        ("my%20photo.jpg", "the characters that %20"),
        ("s3://bucket/a.jpg", "it is in an object store"),
        ("data:image/png;base64,iVBO", "it is a URL"),
        ("'a.jpg'", "without quotes"),
        ("\u201ca.jpg\u201d", "without quotes"),
        ('=HYPERLINK(""a.jpg"",""a"")', "it is a formula"),
        ("a.jpg;b.jpg", "write a line for each file"),
        ("nowhere", "check the path"),
    ],
)
def test_a_path_of_nothing_is_told_with_the_fix(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(f'name,path\nJane Doe,"{path}"\n')
    with pytest.raises(InputError, match=told):
        read_subjects(tmp_path / "t.csv")
    with pytest.raises(InputError, match=told):
        make_subject("Jane Doe", [path])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"name,path\rJane Doe,A\r", "lone CR"),
        (b"name,image,path\nJane Doe,a.jpg,A\n", "'image' and 'path' both mean path"),
        (encoded(photo(), "JPEG"), "an image, not a text in UTF-8; give a folder with a folder of"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "t.jpg").write_bytes(data)
    with pytest.raises(InputError, match=told):
        read_subjects(tmp_path / "t.jpg")


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["Photos from 2019", "Jane_Doe"], "not named after a person.*: Photos from 2019;"),
        (["n000002", "n000003"], "not named after a person.*: n000002, n000003;"),
        (["a/b/c/Jane_Doe", "a/b/c/John_Roe"], "people found below "),
        (
            ["WhatsApp Images", "iCloud Photos"],
            "not named after a person.*: WhatsApp Images, iCloud Photos",
        ),
        (["img_align_celeba"], "'img align celeba' holds a comment, a mark"),
        (["jane.doe", "John_Roe"], "'jane.doe' contains no space: write First Last"),
        (["Roe, John III"], "'Roe, John III' is 'John Roe III'"),
        (["Cher/b/c"], "named after the outermost folder.*'Cher' .*/Cher/b/c.; if another folder"),
        (["Cher/2019/June", "Cher/2020/May"], ""),
        (
            ["Unknown", "New folder (2)", "Jane_Doe"],
            r"not named after a person.*: New folder \(2\), Unknown;",
        ),
        (["members/Jane_Doe", "non_members/John_Roe"], "membership is not read from folders"),
        (["Jane_Doe", "John_Roe.zip"], "not opened: 'John_Roe.zip'"),
        (["Jane_Doe", "Photos Library.photoslibrary"], "not opened: 'Photos Library"),
        (["Jane_Doe", "Dr. John Roe"], "'Dr. John Roe' begins with a title"),
        (["Jane_Doe", "John Roe and Max Moe"], "'John Roe and Max Moe' seems to be several"),
        (["Jane_Doe", "."], r"1 photo in no person's folder \('00\.png'\), not used"),
        (["Jane_Doe", "John_Roe"], ""),
    ],
)
def test_folders_that_are_no_persons_are_told(
    tmp_path: Path, folders: list[str], told: str
) -> None:
    for seed, folder in enumerate(folders):
        make_images(tmp_path / folder, 1, seed=seed)
    said = " ".join(read_subjects(tmp_path).notes)
    if not told:
        assert not said
        return
    assert re.search(told, said), said


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["train/n000001", "train/n000002"], "'n000001', 'n000002'.*; make one"),
        (["train/Cher", "train/Adele"], "make one folder First_Last per person"),
        (["a/b/Jane_Doe", "a/c/John_Roe"], "make one folder First_Last per person"),
        (["train/Jane_Doe", "val/Jane_Doe"], "val/Jane_Doe.*train/Jane_Doe.*merge their photos"),
    ],
)
def test_who_is_not_known_from_folders_is_left_out(
    tmp_path: Path, folders: list[str], told: str
) -> None:
    for folder in (*folders, "Max_Moe"):
        make_images(tmp_path / folder, 1)
    (skipped,) = read_subjects(tmp_path).skipped
    assert re.search(told, skipped.reason), skipped.reason


@pytest.mark.parametrize("depth", [5, 12, 300])
def test_a_chain_of_folders_leads_to_the_person_or_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    make_images(tmp_path / "people" / ("a/" * depth) / "Jane_Doe", 1)
    monkeypatch.chdir(tmp_path)
    found = read_subjects("people")
    told = any("named after the outermost folder" in note for note in found.notes)
    assert [each.name for each in found] == (["a"] if told else ["Jane Doe"])
    assert told == (depth > 8)


def test_archives_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "Jane_Doe.zip").write_bytes(b"PK\3\4")
    with pytest.raises(InputError, match=r"archives \('Jane_Doe.zip'\): unpack them"):
        read_subjects(tmp_path)


def test_links_that_lead_back_add_nobody(tmp_path: Path) -> None:
    make_images(tmp_path / "people" / "Jane_Doe", 1)
    for name in ("images", "photos", "x"):
        (tmp_path / "people" / name).symlink_to(tmp_path / "people")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(tmp_path / "data")
    found = read_subjects(tmp_path)
    assert [each.name for each in found] == ["Jane Doe"] and len(found.skipped) == 4


def test_a_photo_programs_library_is_no_folder_of_photos(tmp_path: Path) -> None:
    library = tmp_path / "Photos Library.photoslibrary"
    make_images(library / "originals" / "0", 1)
    make_images(library / "resources" / "derivatives", 1)
    for read in (read_subjects, lambda path: make_subject("Jane Doe", [path])):
        with pytest.raises(InputError, match=r"photo library.*export the photos"):
            read(library)


def test_a_photo_that_is_still_in_the_cloud_is_told(tmp_path: Path) -> None:
    make_images(tmp_path / "Jane_Doe", 1)
    (tmp_path / "Jane_Doe" / ".IMG_1.HEIC.icloud").write_bytes(b"bplist00")
    (subject,) = read_subjects(tmp_path)
    assert "still in iCloud; download it" in subject.skipped[0].reason


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            "https://huggingface.co/openai/clip-vit-base-patch32/tree/main",
            "write hf-hub:openai/clip",
        ),
        ("https://example.org/w.pt", "is an address; download the weights"),
        ("hf:openai/clip-vit-base-patch32", "write hf-hub:openai/clip-vit-base-patch32"),
        ("hf://openai/clip-vit-base-patch32", "write hf-hub:openai/clip-vit-base-patch32"),
        ("hf-hub:openai/clip-vit-base-patch32@main", "revisions are not read; download that one"),
        ("/nowhere/model.pt", "no such file or folder"),
        ("~/nowhere.pt", "no such file or folder"),
        ("./nowhere.pt", "no such file or folder"),
        ("~nobody/nowhere.pt", "no such file or folder"),
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", ": write ViT-B-32/laion2b_s34b_b79k"),
        ("timm:vit_base_patch16", "write ARCH/PRETRAINED or hf-hub:ORG/NAME"),
        ("hf-hub:https://huggingface.co/openai/clip", "write hf-hub:openai/clip"),
    ],
)
def test_models_that_are_none(spec: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        parse_spec(spec)


def test_spaces_and_slashes_around_a_model_are_none_of_it() -> None:
    assert parse_spec(" ViT-B-32/openai ") == parse_spec("ViT-B-32/openai")
    assert parse_spec("hf-hub:openai/clip/") == parse_spec("hf-hub:openai/clip")


@pytest.mark.parametrize(
    ("file", "told"),
    [("w.pt", "write ARCH/"), ("m.onnx", "made from"), ("m.gguf", "not a PyTorch checkpoint")],
)
def test_a_file_alone_is_no_model(
    tmp_path: Path, file: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / file).touch()
    monkeypatch.chdir(tmp_path / "d")
    monkeypatch.setenv("HOME", str(tmp_path))
    for spec in (file, f"./{file}", f"../d/{file}", f"~/d/{file}", str(tmp_path / "d" / file)):
        with pytest.raises(ModelError, match=told):
            parse_spec(spec)


def test_an_index_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ModelError, match="is an index; name the model it was built with"):
        parse_spec(str(tmp_path))

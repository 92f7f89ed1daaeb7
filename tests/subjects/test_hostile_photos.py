"""Untrusted photos: decoded as documented or listed with the reason, at bounded cost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import make_images
from hostile_files import encoded, endless_jpeg, hostile_photos, photo
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from toy_backend import ToyBackend

from idia_index.cli.main import run as run_command
from idia_index.encode.backend import Backend
from idia_index.encode.formats import FORMATS
from idia_index.encode.image_cache import ImageCache
from idia_index.encode.image_embeddings import Room
from idia_index.encode.images import load_image
from idia_index.errors import InputError
from idia_index.pipelines.build import build_index
from idia_index.pipelines.parity import compare
from idia_index.prompts.templates import JAIR2024
from idia_index.subjects.subject_images import Encoded, encode_subjects
from idia_index.subjects.subjects import Subject, read_subjects
from idia_index.types import Float32

pytestmark = pytest.mark.usefixtures("toy_plugin")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("".join(f"First{i % 7} Last{i}\n" for i in range(40)))
    assert run("build", tmp_path / "i", "--backend", "toy", "--model", "toy",
               "--names", tmp_path / "names.txt") == 0  # fmt: skip
    return tmp_path / "i"


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], debug=False)


def verbs(index: Path, people: Path) -> dict[str, tuple[object, ...]]:
    alone = ("--min-images", 1, "--sample-sizes", 1, "--draws", 1)
    return {
        "query": ("query", index, people / "First3_Last10", "--name", "First3 Last10"),
        "audit": ("audit", index, people),
        "evaluate": ("evaluate", index, people, *alone),
    }


@pytest.mark.slow
def test_every_verb_decodes_or_lists_each_file(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people"
    good, bad = hostile_photos(people / "First3_Last10")
    make_images(people / "First0_Last7", 3)
    expected = {os.fsdecode(path) for path in good}
    for arguments in verbs(index, people).values():
        capsys.readouterr()
        assert run(*arguments, "--json") == 0
        out, err = capsys.readouterr()
        (subject,) = (s for s in json.loads(out)["subjects"] if s["name"] == "First3 Last10")
        assert set(subject["image_files"]) == expected
        reasons = {Path(s["file"]): s["reason"] for s in subject["skipped"]}
        assert reasons.keys() == bad.keys()
        assert subject["name"] not in {each["name"] for each in json.loads(out).get("skipped", [])}
        for path, told in bad.items():
            assert told.lower() in reasons[path].lower(), path
            assert path.name.isprintable() is (path.name in reasons[path])
        notes = [line for line in err.splitlines() if line.startswith("note: left out: ")]
        assert len(notes) == 21 and "left out: 6 more files" in notes[-1]
        assert all(line.isprintable() for line in err.splitlines())
        # An image that cannot be read is an error where that is asked for.
        assert run(*arguments, "--strict") == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("idia-index: ") and last.isprintable()
    subjects = read_subjects(people)
    toy = ToyBackend(model="toy")
    report = compare(toy, toy, ["A B"], JAIR2024[:1], subjects)
    assert {s.path for s in report.skipped} == bad.keys()
    with pytest.raises(InputError):
        compare(toy, toy, ["A B"], JAIR2024[:1], subjects, strict=True)


def test_a_subject_left_without_an_image_does_not_end_the_others(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people"
    make_images(people / "First0_Last7", 2)
    (people / "First3_Last10").mkdir()
    (people / "First3_Last10" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (people / "First1_Last1").mkdir()
    (people / "First1_Last1" / "IMG_1.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    told = {
        "First3 Last10": "'First3 Last10' has no image that can be read",
        "First1_Last1": "'First1 Last1' has no photo among 1 file left out: ",
    }
    for verb, arguments in verbs(index, people).items():
        capsys.readouterr()
        code = run(*arguments, "--json")
        out, err = capsys.readouterr()
        if verb == "query":
            assert code == 2 and told["First3 Last10"] in err and not out
            continue
        assert code == 0
        data = json.loads(out)
        assert [subject["name"] for subject in data["subjects"]] == ["First0 Last7"]
        left_out = data["skipped"] if verb == "audit" else data["left_out"]
        reasons = {each["name"]: each["reason"] for each in left_out}
        assert reasons.keys() == told.keys()
        for name, words in told.items():
            assert words in reasons[name] and words in err
        assert run(*arguments, "--strict") == 2


class Picky(ToyBackend):
    """A model whose preprocessing refuses some images."""

    def embed_images(self, images: list[Image.Image]) -> Float32:
        if any(image.width == 7 for image in images):
            raise InputError("an image of 7 pixels cannot be prepared")
        return super().embed_images(images)


def encode(backend: ToyBackend, paths: list[Path]) -> Encoded:
    cache = ImageCache(None, backend.fingerprint, "")
    return encode_subjects(backend, [Subject("A B", tuple(paths))], cache, False)


def test_an_image_that_the_model_refuses_costs_no_other(tmp_path: Path) -> None:
    paths = sorted(make_images(tmp_path / "p", 9).iterdir())
    Image.new("L", (7, 90), 5).save(paths[4])
    found = encode(Picky(model="toy"), paths)
    assert found.paths == [*paths[:4], *paths[5:]]
    assert [(s.path, s.reason) for s in found.skipped[0]] == [
        (paths[4], f"{paths[4]}: an image of 7 pixels cannot be prepared")
    ]
    plain = [Backend(ToyBackend(model="toy")).encode_images([path])[0] for path in found.paths]
    assert np.abs(found.embeddings - np.array(plain)).max() < 1e-6


@settings(max_examples=12)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.sampled_from([1, 2000, 20_000]))
def test_memory_is_bounded_and_the_order_stays(sides: list[int], size: int) -> None:
    """Whatever the sizes: at most the room, or one image alone."""
    most, plain = 0, Room.take

    class Measured(Room):
        def take(self, size: int) -> None:
            nonlocal most
            plain(self, size)
            most = max(most, self._used)

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr("idia_index.encode.image_embeddings.Room", lambda: Measured(size))
        paths = []
        for number, side in enumerate(sides):
            paths.append(Path(folder, f"{number:03d}.png"))
            photo(number).resize((side, side)).save(paths[-1])
        toy = ToyBackend(model="toy")
        found = encode(toy, paths)
        assert found.paths == paths
        alone = Backend(toy).encode_images(paths)
        assert np.abs(found.embeddings - alone).max() < 1e-6
    assert most <= max(size, 2 * 4 * max(sides) ** 2)


def test_an_error_does_not_wait_for_those_who_wait_for_room(tmp_path: Path) -> None:
    paths = sorted(make_images(tmp_path / "p", 60).iterdir())
    paths[0].write_bytes(b"")
    cache = ImageCache(None, ToyBackend(model="toy").fingerprint, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("idia_index.encode.image_embeddings.Room", lambda: Room(1))
        with pytest.raises(InputError, match="an empty file"):
            encode_subjects(ToyBackend(model="toy"), [Subject("A", tuple(paths))], cache, True)


STRICT = """
import sys
sys.path.insert(0, {tests!r})
import idia_index.encode.image_embeddings
import idia_index.subjects.subject_images
from idia_index.encode.image_embeddings import Room
from idia_index.subjects.subjects import Subject
from pathlib import Path
from toy_backend import ToyBackend
idia_index.encode.image_embeddings.Room = lambda: Room(1)
toy = ToyBackend(model="toy")
cache = idia_index.subjects.subject_images.ImageCache(None, toy.fingerprint, "")
paths = tuple(sorted(Path({folder!r}).iterdir()))
idia_index.subjects.subject_images.encode_subjects(toy, [Subject("A", paths)], cache, True)
"""


def test_a_process_ends_with_its_error_though_images_wait_for_room(tmp_path: Path) -> None:
    """What is raised holds the frame that reads them, so that nothing frees it in time."""
    folder = make_images(tmp_path / "p", 60)
    (folder / "00.png").write_bytes(b"")
    script = STRICT.format(tests=str(Path(__file__).parents[1]), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1 and "an empty file" in done.stderr


def test_sixteen_bits_are_what_eight_would_show(tmp_path: Path) -> None:
    """Converted as they are, everything above 255 would be white."""
    values = np.random.default_rng(0).integers(0, 65536, (24, 20)).astype(np.uint16)
    for suffix in ("png", "tif"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(values).save(path)
        seen = np.asarray(load_image(path).convert("RGB"))
        assert (seen == (values // 256)[:, :, None]).all()
    # What a caller decoded is the caller's.
    assert (np.asarray(load_image(Image.fromarray(values))) == values).all()
    (tmp_path / "a.pgm").write_bytes(b"P5 20 24 65535\n" + values.astype(">u2").tobytes())
    assert (np.asarray(load_image(tmp_path / "a.pgm").convert("L")) == values // 256).all()


def test_a_jpeg_of_many_scans_is_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "few.jpg").write_bytes(endless_jpeg(90))
    assert load_image(tmp_path / "few.jpg").size == (64, 64)
    (tmp_path / "many.jpg").write_bytes(endless_jpeg(200_000))
    with pytest.raises(InputError, match=r"many\.jpg: a JPEG of more than 100 scans"):
        load_image(tmp_path / "many.jpg")


@pytest.mark.slow
@settings(max_examples=150)
@given(st.sampled_from(FORMATS), st.data())
def test_damaged_images_are_images_or_one_line(kind: str, data: st.DataObject) -> None:
    """Bytes changed, taken out or cut off: no other error, and no other reader than ours."""
    whole = bytearray(encoded(photo(), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        end = place + data.draw(st.integers(0, 30))
        whole[place:end] = data.draw(st.binary(max_size=8))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.jpg")
        path.write_bytes(whole)
        try:
            image = load_image(path)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            assert image.width * image.height <= 100_000_000


def test_unreadable_files_and_folders_are_listed(tmp_path: Path) -> None:
    person = make_images(tmp_path / "p", 3)
    make_images(person / "locked", 2)
    index = tmp_path / "i"
    build_index(index, ToyBackend(model="toy"), ["Jane Doe", "John Roe"], ["{0}"]).close()
    shutil.copytree(index, tmp_path / "j")
    locked = [
        person / "00.png", person / "locked", index / "000000.faiss", tmp_path / "j/manifest.json"
    ]  # fmt: skip
    for each in locked:
        each.chmod(0)
    code = (
        "import sys; from toy_backend import ToyBackend\n"
        "from test_hostile_photos import encode\n"
        "from idia_index.subjects.subjects import make_subject\n"
        "subject = make_subject('A B', [sys.argv[1]])\n"
        "skipped = encode(ToyBackend(model='toy'), list(subject.images)).skipped[0]\n"
        "print(*(s.reason for s in (*subject.skipped, *skipped)), sep='\\n')\n"
        "from idia_index import open_index\n"
        "from idia_index.plugins.specs import parse_spec\n"
        "for read, of in ((open_index, 'i'), (open_index, 'j'), (parse_spec, 'p/locked')):\n"
        "    try:\n        read(sys.argv[1].removesuffix('p') + of)\n"
        "    except Exception as error:\n        print(error)\n"
    )
    command = [sys.executable, "-c", code, str(person)]
    if os.geteuid() == 0:  # who may read everything, unless that right is given up
        if shutil.which("setpriv") is None:
            pytest.skip("run by root, who may read everything")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": ":".join(map(str, (Path(__file__).parents[1], Path(__file__).parent))),
        },
    )
    (person / "locked").chmod(0o700)
    right = "you do not have permission to read it: chmod u+rX, or name a copy"
    photo, folder, shard, manifest = locked
    assert done.stdout.splitlines() == [
        f"{folder}: the folder cannot be read (Permission denied)",
        f"{photo}: cannot be opened (Permission denied); {right}",
        f"{shard}: cannot be read (Permission denied); {right}",
        f"{manifest}: cannot be read (Permission denied); {right}",
        f"{folder}: cannot be read; {right}",
    ]


def test_folders_within_folders_end_somewhere(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deeper than Python's stack, and than a path that the system takes."""
    person = make_images(tmp_path / "people" / "First3_Last10", 2)
    here = Path.cwd()
    os.chdir(person)
    for _ in range(2500):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(here)
    assert run("audit", index, tmp_path / "people", "--json") == 0
    (subject,) = json.loads(capsys.readouterr().out)["subjects"]
    assert subject["images"] == 2
    assert [s["reason"].endswith("(File name too long)") for s in subject["skipped"]] == [True]
    subprocess.run(["rm", "-r", person], check=True)  # pytest's own removal would not get there
    for arguments in (
        ("info", "x" * 5000),
        ("audit", "x" * 300, "y"),
        ("add", index, "--names", "x" * 300),
    ):
        assert run(*arguments) == 2
        # Python 3.14 says of a path that cannot be that there is none.
        told = "File name too long" if sys.version_info < (3, 14) else "too long|: no such "
        assert re.search(told, capsys.readouterr().err)


def test_links_lead_in_no_circle_and_hidden_files_belong_to_nobody(tmp_path: Path) -> None:
    make_images(tmp_path / "people" / "A_B", 2)
    make_images(tmp_path / "people" / "A_B" / ".thumbnails", 2)
    make_images(tmp_path / "people" / ".cache", 2)
    (tmp_path / "people" / "A_B" / "._00.png").write_bytes(b"x")
    (person,) = read_subjects(tmp_path / "people")
    assert [path.name for path in person.images] == ["00.png", "01.png"] and not person.skipped
    (tmp_path / "people" / "All_Of_Them").symlink_to("..")
    (skipped,) = read_subjects(tmp_path / "people").skipped
    assert "All_Of_Them: a link to a folder above it" in skipped.reason

"""Report folders: existing files are never overwritten, and are checked for first."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.pipelines.report_folder import FILES, check_folder
from idia_index.prompts.names import make_names
from idia_index.subjects.subjects import read_subjects

pytestmark = pytest.mark.usefixtures("toy_plugin")

STRANGER = "<p>my own page</p>"
SIZES = ("--sample-sizes", "1", "--min-images", "1")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with an index, people, and nothing else."""
    build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(["A B", "C D", "E F"]))
    for name in ("A_B", "C_D"):
        make_images(tmp_path / "people" / name, 2)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = run_command([str(argument) for argument in arguments], debug=False)
    return code, capsys.readouterr().err


@pytest.mark.parametrize("verb", ["audit", "evaluate"])
@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("page", "holds 'index.html', which is not from a report"),
        ("other", "holds 'report.json', which is not from a report"),
        ("i", "is in the index or export"),
        ("i/report", "is in the index or export"),
        ("people", "every folder is a person"),
        ("people/A_B", "every folder is a person"),
        ("people/report", "every folder is a person"),
        ("file", "is not a folder"),
    ],
)
def test_what_is_there_is_not_written_over(
    world: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    out: str,
    told: str,
) -> None:
    (world / "page").mkdir()
    (world / "page" / "index.html").write_text(STRANGER)
    (world / "other").mkdir()
    (world / "other" / "report.json").write_text('{"format": "of somebody else"}')
    (world / "file").write_text("text")
    more = SIZES if verb == "evaluate" else ()
    before = content(world)

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("asked after computing")

    computes = {"audit": "audit_into", "evaluate": "gather"}[verb]
    monkeypatch.setattr(f"idia_index.cli.{verb}.{computes}", computed)
    code, errors = run(capsys, verb, world / "i", world / "people", *more, "--out", world / out)
    assert code == 2 and told in errors and len(errors.splitlines()) == 1
    assert f"{world / out}: " in errors and "with --out" in errors
    assert content(world) == before


def test_photos_that_a_table_names_are_left_alone(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "people.csv").write_text("name,path\nA B,people/A_B/00.png\n")
    link = world / "link"
    link.symlink_to(world / "people" / "A_B")
    for out in (world / "people" / "A_B", link):
        code, errors = run(capsys, "audit", world / "i", world / "people.csv", "--out", out)
        assert code == 2 and "holds photos of 'A B'" in errors
    assert run(capsys, "audit", world / "i", world / "people.csv", "--out", world / "r")[0] == 0
    code, errors = run(capsys, "evaluate", "--from", world / "r", *SIZES,
                       "--out", world / "people" / "A_B")  # fmt: skip
    assert code == 2 and "holds photos of 'A B'" in errors


def test_an_earlier_report_is_replaced_and_it_is_said(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "out"
    first = run(capsys, "audit", world / "i", world / "people", "--out", out)
    assert first == (0, "") and {path.name for path in out.iterdir()} == {*FILES} - {"people.csv"}
    (out / "notes.txt").write_text("mine")
    (out / "index.html.part").write_text("left of a writer that was killed")
    for arguments in (
        ("audit", world / "i", world / "people", "--tau", "2"),
        ("evaluate", world / "i", world / "people", *SIZES),
        ("evaluate", "--from", out, *SIZES),
    ):
        code, errors = run(capsys, *arguments, "--out", out)
        assert code == 0
        assert errors == f"note: {out}: the earlier report there will be replaced\n"
    assert (out / "notes.txt").read_text() == "mine"


def test_a_circle_of_links_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="symbolic links"):
        check_folder(tmp_path / "loop", [])


def test_new_and_empty_folders_are_free(tmp_path: Path) -> None:
    make_images(tmp_path / "people" / "A_B", 1)
    people = read_subjects(tmp_path / "people")
    (tmp_path / "empty").mkdir()
    (tmp_path / "manifest.json").write_text('{"name": "of a web page"}')
    for out in ("empty", "new", "new/deeper"):
        assert not check_folder(tmp_path / out, people, tmp_path / "people")
    with pytest.raises(InputError, match="cannot be read"):
        check_folder(tmp_path / ("x" * 300))


@pytest.mark.slow
def test_a_study_leaves_other_peoples_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.cli.study.study_backend", lambda: ToyBackend(model="toy"))
    dry = ("study", "cc3m", "--dry-run", "--dry-images", "1", "--out")
    (tmp_path / "a" / "report").mkdir(parents=True)
    (tmp_path / "a" / "report" / "index.html").write_text(STRANGER)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "candidates.txt").write_text("my list\n")
    code, errors = run(capsys, *dry, tmp_path / "a")
    assert code == 2 and "holds 'index.html'" in errors
    code, errors = run(capsys, *dry, tmp_path / "b")
    assert code == 2 and "candidates.txt: holds other names" in errors
    assert (tmp_path / "a" / "report" / "index.html").read_text() == STRANGER
    assert (tmp_path / "b" / "candidates.txt").read_text() == "my list\n"
    assert not (tmp_path / "a" / "study.idia").exists()
    assert not (tmp_path / "b" / "study.idia").exists()

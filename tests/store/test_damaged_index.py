"""The command line on a damaged index: exit code 2, and the fix for that kind of file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import make_images
from toy_backend import DIM, ToyBackend

from idia_index import build_index, open_index
from idia_index.cli.main import run as run_command
from idia_index.pipelines.change import remove_names
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024

pytestmark = pytest.mark.usefixtures("toy_plugin")
BACKUP = "copy the file from a backup"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code, and what stands on standard error."""
    capsys.readouterr()
    code = run_command([str(argument) for argument in arguments], debug=False)
    return code, capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path, toy: ToyBackend, names: NameList) -> Path:
    build_index(tmp_path / "i", toy, names, JAIR2024[:3]).close()
    remove_names(tmp_path / "i", make_names(["First3 Last10"])).index.close()
    return tmp_path / "i"


@pytest.mark.parametrize("index_type", ["flat", "numpy", "float16"])
@pytest.mark.parametrize("place", ["head", "rows"])
@pytest.mark.parametrize("check", [(), ("--verify",)])
def test_a_query_of_a_changed_shard_is_bad_input(
    index_type: str,
    place: str,
    check: tuple[str, ...],
    tmp_path: Path,
    toy: ToyBackend,
    names: NameList,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = build_index(tmp_path / "i", toy, names, JAIR2024[:3], index_type=index_type)
    file = tmp_path / "i" / index.manifest.shards[0].parts[0].file.file
    index.close()
    data = bytearray(file.read_bytes())
    start = 1 if place == "head" else len(data) - DIM * (4 if index_type != "float16" else 2)
    data[start : start + 4] = b"\xff\xff\x7f\x7f"  # as a float32, the largest
    file.write_bytes(data)
    photos = make_images(tmp_path / "photos", 2)
    query = ("query", tmp_path / "i", photos, "--name", "First3 Last10", "--top", 3, *check)
    code, err = run(capsys, *query)
    if check or place == "head" or index_type == "flat":
        assert code == 2 and err.count("\n") == 1 and file.name in err, err
    else:
        assert code in (0, 2)  # another row, perhaps, which only --verify can tell


@pytest.mark.parametrize(
    ("ending", "repairable"),
    [(".names.txt", False), (".removed", False), (".faiss", True), (".keys", True)],
)
@pytest.mark.parametrize("gone", [False, True])
def test_the_advice_is_true_of_the_sort_of_file(
    ending: str, repairable: bool, gone: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = folder.glob(f"*{ending}")
    file.unlink() if gone else file.write_bytes(file.read_bytes()[:-1])
    for arguments, expected in (
        (("info", folder), 2),
        (("verify", folder, "--backend", "toy"), 1),
    ):
        code, err = run(capsys, *arguments)
        assert code == expected
        assert file.name in err or repairable
        assert (BACKUP in err) != repairable and ("idia-index repair" in err) == repairable, err
    code, err = run(capsys, "repair", folder, "--backend", "toy")
    assert code == (0 if repairable else 2)
    assert repairable or re.search(rf"{re.escape(file.name)}: .*{BACKUP}", err)
    if repairable:
        assert len(open_index(folder)) == 39

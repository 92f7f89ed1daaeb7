"""Additions that are interrupted, killed or out of space: the index stays, and they resume."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from forked import in_a_fork
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError
from idia_index.pipelines.change import add_names, add_templates, remove_names
from idia_index.pipelines.repair import repair
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.store.directory import Store
from idia_index.types import CountProgress

TEMPLATES = JAIR2024[:3]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", DIM * 4 * len(TEMPLATES) * 8)


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "lock"}


class StopsError(Exception):
    """What interrupts an add in these tests."""


def stop_after(prompts: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int) -> None:
        if done >= prompts:
            raise StopsError

    return progress


@pytest.mark.parametrize("prompts", [1, 30, 60])
def test_an_interrupted_add_goes_on_with_what_was_finished(
    tmp_path: Path, toy: ToyBackend, names: NameList, prompts: int
) -> None:
    more = make_names(names[10:])
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)
    shutil.copytree(tmp_path / "i", tmp_path / "whole")
    add_names(tmp_path / "whole", toy, more)
    with pytest.raises(StopsError):
        add_names(tmp_path / "i", toy, more, stop_after(prompts))
    assert list(open_index(tmp_path / "i").names) == names[:10]
    assert verify(tmp_path / "i", toy) == []
    add_names(tmp_path / "i", toy, more)
    assert files(tmp_path / "i") == files(tmp_path / "whole")


def test_what_another_add_left_is_not_taken_for_this_ones(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)
    shutil.copytree(tmp_path / "i", tmp_path / "whole")
    with pytest.raises(StopsError):
        add_names(tmp_path / "i", toy, make_names(names[10:]), stop_after(60))
    with pytest.raises(StopsError):
        add_templates(tmp_path / "i", toy, JAIR2024[3:5], stop_after(18))
    others = make_names([f"Other {i}" for i in range(20)])
    add_names(tmp_path / "i", toy, others)
    add_names(tmp_path / "whole", toy, others)
    assert files(tmp_path / "i") == files(tmp_path / "whole")


def test_removing_between_two_tries_of_an_add(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)
    with pytest.raises(StopsError):
        add_names(tmp_path / "i", toy, make_names(names[10:]), stop_after(60))
    remove_names(tmp_path / "i", make_names(names[:2]))
    done = add_names(tmp_path / "i", toy, make_names(names[10:]))
    assert list(done.index.names) == names[2:]
    assert verify(tmp_path / "i", toy) == []


def test_a_folder_removed_underneath_is_one_line(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)

    def remove(done: int, total: int) -> None:
        shutil.rmtree(tmp_path / "i", ignore_errors=True)

    with pytest.raises(InputError, match="cannot be written") as error:
        add_names(tmp_path / "i", toy, make_names(names[10:]), remove)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="no such index"):
        add_names(tmp_path / "i", toy, make_names(names[10:]))
    assert not (tmp_path / "i").exists()


def add_without_room(path: Path, limit: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.dont_write_bytecode = True  # it, too, would be cut off there, and stay
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    more = make_names([f"More {i}" for i in range(300)])
    with pytest.raises(IdiaIndexError, match="cannot be written") as caught:
        add_names(path, ToyBackend(model="toy"), more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index_type", ["flat", "numpy", "float16"])
@pytest.mark.parametrize("limit", [600, 5000])
def test_a_full_disk_leaves_the_index_as_it_was(
    tmp_path: Path, toy: ToyBackend, names: NameList, index_type: str, limit: int
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES, index_type=index_type)
    queries = np.eye(DIM, dtype=np.float32)
    before = open_index(tmp_path / "i").search(queries, 2)
    in_a_fork(add_without_room, tmp_path / "i", limit)
    index = open_index(tmp_path / "i")
    assert list(index.names) == names[:10] and verify(tmp_path / "i", toy) == []
    assert (index.search(queries, 2)[1] == before[1]).all()
    assert add_names(tmp_path / "i", toy, make_names(names[10:])).done == 30


def test_a_read_only_index_answers_and_refuses_in_one_line(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)
    (tmp_path / "i" / "lock").unlink()
    (tmp_path / "i" / "lock").mkdir()  # what nobody can write to, root included
    assert len(open_index(tmp_path / "i")) == 10
    with pytest.raises(InputError, match="cannot be written"):
        add_names(tmp_path / "i", toy, make_names(names[10:]))


def test_kills_at_random_moments(tmp_path: Path) -> None:
    """A few of them; the benchmark kills a build and an add thirty times each."""
    script = ROOT / "benchmarks" / "index_kill.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "2"], capture_output=True, text=True
    )
    assert done.stdout.count("2 of 2 killed at work") == 2, done.stderr


def test_notes_of_work_that_was_done_go_when_it_is_asked_for_again(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed right after the manifest was renamed leaves its notes."""
    path, first = tmp_path / "i", make_names(names[:10])

    def files() -> set[str]:
        return {file.name for file in path.iterdir()}

    with monkeypatch.context() as killed:
        killed.setattr(Store, "end", lambda self: None)
        build_index(path, toy, first, TEMPLATES)
        assert {"build.json", "000000.shard.json"} <= files()
    build_index(path, toy, first, TEMPLATES, resume=True)
    assert not {file for file in files() if file.endswith(".json")} - {"manifest.json"}
    with monkeypatch.context() as killed:
        killed.setattr(Store, "end", lambda self: None)
        add_names(path, toy, names)
        assert any(file.endswith(".shard.json") for file in files())
    assert add_names(path, toy, names).done == 0
    assert not {file for file in files() if file.endswith(".json")} - {"manifest.json"}


def test_two_writers_and_an_error_class(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:10]), TEMPLATES)

    def second(done: int, total: int) -> None:
        with pytest.raises(InputError, match="another process is writing"):
            remove_names(tmp_path / "i", make_names(names[:1]))

    assert add_names(tmp_path / "i", toy, make_names(names[10:]), second).done == 30
    assert issubclass(InputError, IdiaIndexError)


@pytest.mark.parametrize("what", ["names", "templates"])
def test_an_add_and_a_repair_that_were_interrupted_do_not_take_each_others_work(
    tmp_path: Path, toy: ToyBackend, names: NameList, what: str
) -> None:
    """Both call their files by the numbers that follow the manifest's."""
    folder, stored = tmp_path / "i", make_names(names[:16])
    build_index(folder, toy, stored, TEMPLATES).close()

    def add(progress: CountProgress) -> None:
        if what == "names":
            add_names(folder, toy, make_names(names[16:]), progress).index.close()
        else:
            add_templates(folder, toy, JAIR2024[3:6], progress).index.close()

    with pytest.raises(StopsError):
        add(stop_after(30))
    for shard in ("000000.faiss", "000001.faiss"):
        flip_a_bit(folder / shard)
    with pytest.raises(StopsError):
        repair(folder, toy, stop_after(30))
    assert Store(folder).notes.parts(), "the repair was to be interrupted with a part finished"
    add(lambda done, total: None)
    assert repair(folder, toy).encoded == 2
    index = open_index(folder)
    assert verify(folder, toy) == []
    for t, template in enumerate(index.templates):
        expected = Backend(toy).encode_texts([template.fill(name) for name in index.names])
        found = index.text_embeddings(t, np.arange(len(index)))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_interrupted_repair_goes_on_with_what_was_finished(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:16]), TEMPLATES).close()
    for shard in ("000000.faiss", "000001.faiss"):
        flip_a_bit(tmp_path / "i" / shard)
    with pytest.raises(StopsError):
        repair(tmp_path / "i", toy, stop_after(30))
    (finished,) = Store(tmp_path / "i").notes.parts().values()
    file = tmp_path / "i" / finished.file.file
    written = file.stat().st_mtime_ns
    assert repair(tmp_path / "i", toy).encoded == 2
    assert verify(tmp_path / "i", toy) == []
    assert file.stat().st_mtime_ns == written


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-5] ^= 0x41
    file.write_bytes(data)

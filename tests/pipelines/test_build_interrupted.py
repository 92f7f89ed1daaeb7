"""Builds that are interrupted, killed, out of space or failed by their model."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from forked import begun
from small_index import SHARD, files
from toy_backend import ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import InputError
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.store.directory import Store
from idia_index.support.locks import writer_lock
from idia_index.types import Float32


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", SHARD)


class StopsError(Exception):
    """What interrupts a build in these tests."""


def interrupt_after(prompts: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int) -> None:
        if done >= prompts:
            raise StopsError

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [1, 300, 600])
def test_an_interrupted_build_resumes_to_the_same_bytes(
    tmp_path: Path, toy: ToyBackend, names: NameList, prompts: int
) -> None:
    build_index(tmp_path / "whole", toy, names)
    with pytest.raises(StopsError):
        build_index(tmp_path / "i", toy, names, progress=interrupt_after(prompts))
    with pytest.raises(InputError, match=r"unfinished index.*--resume"):
        open_index(tmp_path / "i")
    with pytest.raises(InputError, match="resume it with --resume"):
        build_index(tmp_path / "i", toy, names)
    with pytest.raises(InputError, match=r"other arguments \(names_sha256, candidates\)"):
        build_index(tmp_path / "i", toy, make_names([*names, "One More"]), resume=True)
    build_index(tmp_path / "i", toy, names, resume=True)
    assert files(tmp_path / "i") == files(tmp_path / "whole")


def test_finished_shards_are_not_encoded_again(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StopsError):
        build_index(tmp_path / "i", toy, names, progress=interrupt_after(600))
    texts = []
    plain = ToyBackend.embed_texts
    monkeypatch.setattr(
        ToyBackend, "embed_texts", lambda self, t: texts.extend(t) or plain(self, t)
    )
    build_index(tmp_path / "i", toy, names, resume=True)
    assert 0 < len(texts) < 40 * 21 - 300


def test_resume_where_nothing_is_starts(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    assert len(build_index(tmp_path / "i", toy, names, resume=True)) == 40


class Slow(ToyBackend):
    def embed_texts(self, texts: Sequence[str]) -> Float32:
        time.sleep(0.004)
        return super().embed_texts(texts)


def resume_slowly(path: Path, names: NameList) -> None:
    idia_index.pipelines.build.SHARD_BYTES = SHARD
    build_index(path, Slow(model="toy"), names, resume=True)


def test_a_build_killed_at_any_moment_resumes_to_the_same_bytes(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "whole", toy, names)
    path = tmp_path / "i"
    random = np.random.default_rng(0)
    killed = 0
    for _ in range(6):
        process = begun(resume_slowly, path, names)
        time.sleep(float(random.uniform(0.005, 0.06)))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 2
    build_index(path, toy, names, resume=True)
    assert files(path) == files(tmp_path / "whole")


def test_one_writer_at_a_time(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    def second_writer(done: int, total: int) -> None:
        for resume in (False, True):
            with pytest.raises(InputError, match="another process is writing"):
                build_index(tmp_path / "i", toy, names, resume=resume)
        raise StopsError

    with pytest.raises(StopsError):
        build_index(tmp_path / "i", toy, names, progress=second_writer)


@pytest.mark.parametrize("index_type", ["flat", "numpy"])
def test_a_full_disk_is_one_line_and_leaves_no_index(
    tmp_path: Path, toy: ToyBackend, names: NameList, index_type: str
) -> None:
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from toy_backend import ToyBackend
from idia_index import build_index
from idia_index.prompts.names import make_names
from idia_index.errors import IdiaIndexError
try:
    build_index({str(tmp_path / "i")!r}, ToyBackend(model="toy"),
        make_names([f"First{{i % 7}} Last{{i}}" for i in range(40)]), index_type={index_type!r})
except IdiaIndexError as error:
    print(error)
"""
    # -B: bytecode, too, would be cut off there, and stay.
    done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True)
    assert "cannot be written" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


class Broken(ToyBackend):
    """A model that is found to be none when it encodes, after a number of texts."""

    good = 0

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        self.good -= len(texts)
        if self.good < 0:
            raise InputError("its weights are no weights; export the model again")
        return super().embed_texts(texts)


def test_a_model_that_fails_leaves_nothing(tmp_path: Path, names: NameList) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("new", "a/b/c", "empty"):
        with pytest.raises(InputError, match="no weights"):
            build_index(tmp_path / place, Broken(model="toy"), names)
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_model_that_fails_later_leaves_what_is_finished(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    broken = Broken(model="toy")
    broken.good = 400  # two shards of five
    with pytest.raises(InputError, match="no weights"):
        build_index(tmp_path / "i", broken, names)
    assert len(Store(tmp_path / "i").notes.shards()) == 2
    # Nor does a build that goes on remove what another began.
    with pytest.raises(InputError, match="no weights"):
        build_index(tmp_path / "i", Broken(model="toy"), names, resume=True)
    build_index(tmp_path / "whole", toy, names)
    build_index(tmp_path / "i", toy, names, resume=True)
    assert files(tmp_path / "i") == files(tmp_path / "whole")


def test_a_lock_that_its_holder_removes_meanwhile_is_not_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = tmp_path / "lock", []
    plain = fcntl.flock

    def removed_first(handle: int, how: int) -> None:
        if not asked:
            path.unlink()
        asked.append(handle)
        plain(handle, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with writer_lock(path):
        assert len(asked) == 2 and path.exists()
        with pytest.raises(InputError, match="another process"), writer_lock(path):
            pass

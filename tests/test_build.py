"""Building: what is written, what is refused, and what an interruption leaves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from toy_backend import DIM, ToyBackend, word_vector

import idia_index.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError, InputError
from idia_index.locks import writer_lock
from idia_index.manifest import seal
from idia_index.names import NameList, make_names
from idia_index.records import Float32
from idia_index.store import Store
from idia_index.templates import JAIR2024, make_templates

# Small shards, so that a few names make several.
SHARD = DIM * 4 * len(JAIR2024) * 8


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.build, "SHARD_BYTES", SHARD)


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "lock"}


def test_every_row_is_the_embedding_of_its_prompt(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    assert len(index.manifest.shards) == 5 and len(index) == 40
    assert list(open_index(tmp_path / "i").names) == list(names)
    for template, text in enumerate(JAIR2024):
        rows = index.text_embeddings(template, range(40))
        for name, row in zip(names, rows, strict=True):
            expected = np.sum([word_vector(w) for w in text.fill(name).split()], axis=0)
            np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-6)


def test_files_are_for_their_owner_only(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names)
    assert stat.S_IMODE((tmp_path / "i").stat().st_mode) == 0o700
    for file in (tmp_path / "i").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


@pytest.mark.parametrize("kind", ["flat", "numpy"])
def test_search_stays_within_a_template(
    tmp_path: Path, toy: ToyBackend, names: NameList, kind: str
) -> None:
    index = build_index(tmp_path / "i", toy, names, kind=kind)
    queries = np.random.default_rng(0).standard_normal((9, DIM)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    _, found = index.search(queries, k=1)
    for template in range(len(JAIR2024)):
        rows = index.text_embeddings(template, range(40))
        assert found[template, :, 0].tolist() == (queries @ rows.T).argmax(axis=1).tolist()


def test_plain_strings_are_names(tmp_path: Path, toy: ToyBackend) -> None:
    index = build_index(tmp_path / "i", toy, ["Ann Lee", "Bob Ray", "bob ray", "Bob Ray"])
    assert list(index.names) == ["Ann Lee", "Bob Ray"]
    with pytest.raises(InputError, match="names, line 2"):
        build_index(tmp_path / "j", toy, ["Bob Ray", "Ann\nLee"])
    assert not (tmp_path / "j").exists()


def test_an_existing_index_is_not_touched(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names)
    before = files(tmp_path / "i")
    with pytest.raises(InputError, match="an index is there already"):
        build_index(tmp_path / "i", toy, names)
    assert files(tmp_path / "i") == before


def test_resuming_a_finished_build_says_so_by_opening_it(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names)
    before = files(tmp_path / "i")
    assert len(build_index(tmp_path / "i", toy, names, resume=True)) == 40
    assert files(tmp_path / "i") == before
    with pytest.raises(InputError, match=r"other arguments \(fingerprint"):
        build_index(tmp_path / "i", ToyBackend(model="another"), names, resume=True)


def test_foreign_folders_and_files_are_left_alone(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not an index"):
        build_index(tmp_path / "photos", toy, names)
    with pytest.raises(InputError, match="a file is there"):
        build_index(tmp_path / "photos" / "a.txt", toy, names)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["a.txt"]


def write_sealed(file: Path, data: dict[str, object]) -> None:
    """A manifest whose checksum is right, so that what else is wrong with it is seen."""
    data.pop("sha256")
    file.write_text(seal(data))


class StopsError(Exception):
    """What interrupts a build in these tests."""


def interrupt_after(prompts: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int) -> None:
        if done >= prompts:
            raise StopsError

    return progress


@pytest.mark.parametrize("prompts", [1, 300, 600])
def test_an_interrupted_build_resumes_to_the_same_bytes(
    tmp_path: Path, toy: ToyBackend, names: NameList, prompts: int
) -> None:
    build_index(tmp_path / "whole", toy, names)
    with pytest.raises(StopsError):
        build_index(tmp_path / "i", toy, names, progress=interrupt_after(prompts))
    with pytest.raises(InputError, match=r"unfinished index.*--resume"):
        open_index(tmp_path / "i")
    with pytest.raises(InputError, match="adding --resume"):
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


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import idia_index.build
from toy_backend import ToyBackend
from idia_index.names import make_names
import time
idia_index.build.SHARD_BYTES = {shard}
class Slow(ToyBackend):
    def embed_texts(self, texts):
        time.sleep(0.004)
        return super().embed_texts(texts)
print("ready", flush=True)
idia_index.build_index({path!r}, Slow(model="toy"), make_names([f"First{{i % 7}} Last{{i}}"
    for i in range(40)]), resume=True)
"""


def test_a_build_killed_at_any_moment_resumes_to_the_same_bytes(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "whole", toy, names)
    path = tmp_path / "i"
    script = KILLED.format(tests=str(Path(__file__).parent), shard=SHARD, path=str(path))
    random = np.random.default_rng(0)
    killed = 0
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(float(random.uniform(0.005, 0.06)))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed >= 2
    build_index(path, toy, names, resume=True)
    assert files(path) == files(tmp_path / "whole")


def test_one_writer_at_a_time(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    def second_writer(done: int, total: int) -> None:
        with pytest.raises(InputError, match="another process is writing"):
            build_index(tmp_path / "i", toy, names, resume=True)
        raise StopsError

    with pytest.raises(StopsError):
        build_index(tmp_path / "i", toy, names, progress=second_writer)


@pytest.mark.parametrize("kind", ["flat", "numpy"])
def test_a_full_disk_is_one_line_and_leaves_no_index(
    tmp_path: Path, toy: ToyBackend, names: NameList, kind: str
) -> None:
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.path.insert(0, {str(Path(__file__).parent)!r})
from toy_backend import ToyBackend
from idia_index import build_index
from idia_index.names import make_names
from idia_index.errors import IdiaIndexError
try:
    build_index({str(tmp_path / "i")!r}, ToyBackend(model="toy"),
        make_names([f"First{{i % 7}} Last{{i}}" for i in range(40)]), kind={kind!r})
except IdiaIndexError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
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


def test_another_model_does_not_get_an_answer(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    index.check_backend(toy)
    with pytest.raises(InputError, match=r"another model.*weights_sha256"):
        index.check_backend(ToyBackend(model="another"))


@pytest.mark.parametrize("damage", ["cut", "missing", "longer", "link"])
def test_a_damaged_shard_is_named_when_the_index_opens(
    tmp_path: Path, toy: ToyBackend, names: NameList, damage: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    shard = tmp_path / "i" / "000002.faiss"
    data = shard.read_bytes()
    if damage == "cut":
        shard.write_bytes(data[:-1])
    elif damage == "longer":
        shard.write_bytes(data + b"x")
    else:
        shard.unlink()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"000002\.faiss"):
        open_index(tmp_path / "i")


def test_changed_names_and_rows_are_noticed(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    index.check_shards()
    file = tmp_path / "i" / "000001.names.txt"
    file.write_bytes(file.read_bytes().replace(b"First1", b"First9"))
    with pytest.raises(InputError, match=r"000001\.names\.txt: was changed"):
        list(open_index(tmp_path / "i").names)
    shard = tmp_path / "i" / "000000.faiss"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(IdiaIndexError, match=r"000000\.faiss"):
        index.check_shards()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("format", "idia-index/index/9", "this version reads"),
        ("shards", [], "damaged manifest"),
        ("shards", "none", "damaged manifest"),
        ("plan", {}, "damaged manifest"),
    ],
)
def test_a_damaged_manifest_is_one_line(
    tmp_path: Path, toy: ToyBackend, names: NameList, field: str, value: object, told: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    file = tmp_path / "i" / "manifest.json"
    write_sealed(file, {**json.loads(file.read_text()), field: value})
    with pytest.raises(InputError, match=told):
        open_index(tmp_path / "i")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ".hidden", ""])
def test_a_manifest_cannot_lead_out_of_the_index(
    tmp_path: Path, toy: ToyBackend, names: NameList, name: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    file = tmp_path / "i" / "manifest.json"
    data = json.loads(file.read_text())
    data["shards"][0]["names"]["file"] = name
    write_sealed(file, data)
    with pytest.raises(InputError, match="no plain file name"):
        open_index(tmp_path / "i")


def test_search_refuses_what_is_no_query(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    index = build_index(tmp_path / "i", toy, names, make_templates(["{0}"]))
    rows = np.zeros((2, DIM), np.float32)
    for queries, k, told in (
        (rows[:, :-1], 1, "the index takes"),
        (rows[0], 1, "the index takes"),
        (rows * np.nan, 1, "not finite"),
        (rows, 0, "k is 0"),
        (rows, 41, "k is 41"),
    ):
        with pytest.raises(InputError, match=told):
            index.search(queries, k)
    with pytest.raises(InputError, match="name ids go from 0 to 39"):
        index.text_embeddings(0, [40])
    with pytest.raises(InputError, match="template 1"):
        index.text_embeddings(1, [0])


def test_a_read_only_folder_is_one_line(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    if os.geteuid() == 0:
        place = Path("/proc/idia-index-cannot-write-here")  # nobody can, root included
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        place = tmp_path / "closed" / "i"
    with pytest.raises(InputError, match="cannot be written"):
        build_index(place, toy, names)

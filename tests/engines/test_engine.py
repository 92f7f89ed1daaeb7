"""The interface between pipelines and engines: `local`, and tasks that can be pickled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from conftest import make_images
from pickled_engine import PickledEngine, again
from small_index import SHARD, damage, files
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
import idia_index.subjects.photo_runs
import idia_index.worker_model
from idia_index import audit, build_index, load_backend, open_index, read_names
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError, ModelError, RefusedError
from idia_index.pipelines.change import add_names, add_templates
from idia_index.pipelines.members import Options, find_members
from idia_index.pipelines.repair import repair
from idia_index.plugins import Engine, Task
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import as_templates
from idia_index.registry import load_engine
from idia_index.store.directory import Store
from idia_index.subjects.records import Subject
from idia_index.types import Float32
from idia_index.worker_model import WorkerModel


@dataclass
class Square(Task[int, int, str]):
    """Notes the order of its calls."""

    calls: list[str]

    def setup(self) -> None:
        self.calls.append("setup")

    def compute(self, given: int, tell: Callable[[int], None]) -> int:
        if given == 13:
            raise InputError("13: unlucky")
        tell(1)
        return given * given

    def finish(self, given: int, made: int) -> str:
        self.calls.append(f"finish {given}")
        return f"{given}: {made}"


def test_local_sets_up_once_and_collects_in_order() -> None:
    task, collected, told = Square([]), list[tuple[int, str]](), list[int]()
    load_engine("local").run(
        task, iter([3, 1, 2]), lambda *both: collected.append(both), told.append
    )
    assert collected == [(3, "3: 9"), (1, "1: 1"), (2, "2: 4")]
    assert task.calls == ["setup", "finish 3", "finish 1", "finish 2"]
    assert told == [1, 1, 1]


def test_local_ends_with_the_error_of_a_task_and_keeps_what_was_before_it() -> None:
    collected: list[int] = []
    given = iter([1, 2, 13, 4])
    with pytest.raises(InputError, match="unlucky"):
        load_engine("local").run(
            Square([]), given, lambda each, _: collected.append(each), lambda _: None
        )
    assert collected == [1, 2] and next(given) == 4  # what was not begun never is


def test_engines_are_named_and_take_what_suits_them() -> None:
    with pytest.raises(InputError, match=r"no engine is called 'slurm'; available: local, ray"):
        load_engine("slurm")
    with pytest.raises(InputError, match=r"--workers.*only this process"):
        load_engine("local", workers=2)
    with pytest.raises(InputError, match="local:here: local takes no address"):
        load_engine("local:here")


@pytest.mark.process
def test_local_imports_no_ray() -> None:
    code = (
        "import sys, idia_index.pipelines.build, idia_index.pipelines.audit\n"
        "from idia_index.registry import load_engine; load_engine(); print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture
def away(toy_plugin: None) -> Backend:
    """A model whose long jobs run in copies of their tasks."""
    loaded = load_backend("toy", model="toy")
    loaded.engine = PickledEngine()
    return loaded


@pytest.fixture
def here(toy_plugin: None) -> Backend:
    return load_backend("toy", model="toy")


@pytest.fixture
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", SHARD)


def inputs(backend: Backend) -> int:
    assert isinstance(backend.engine, PickledEngine)
    return backend.engine.inputs


def change(path: Path, backend: Backend) -> None:
    """Builds an index, adds to it and repairs it."""
    names = make_names([f"First{i % 7} Last{i}" for i in range(20)])
    build_index(path, backend, names).close()
    add_names(path, backend, make_names([f"New Name{i}" for i in range(10)])).index.close()
    add_templates(path, backend, as_templates(["{0} at sea", "{0} on a hill"])).index.close()
    damage(path, 2)
    assert repair(path, backend).encoded == 1


@pytest.mark.slow
@pytest.mark.usefixtures("_small_shards")
def test_shards_written_elsewhere_are_the_same_bytes(
    tmp_path: Path, away: Backend, here: Backend
) -> None:
    for name, backend in (("away", away), ("here", here)):
        change(tmp_path / name, backend)
    assert inputs(away) == 3 + 2 + 5 + 1
    assert files(tmp_path / "away") == files(tmp_path / "here")


@pytest.mark.usefixtures("_small_shards")
def test_shards_come_back_where_no_folder_is_shared(
    tmp_path: Path, away: Backend, here: Backend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path / "here", here, names)
    # What a worker finds at the path is no part of this build.
    elsewhere = (Store, (tmp_path / "elsewhere",))
    monkeypatch.setattr(Store, "__reduce__", lambda _: elsewhere)
    build_index(tmp_path / "away", away, names)
    assert files(tmp_path / "away") == files(tmp_path / "here")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("_small_shards")
def test_a_shard_that_is_not_what_its_writer_says_is_refused(
    tmp_path: Path, away: Backend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Store.write_rows

    def broken(store, *rest):  # type: ignore[no-untyped-def]
        told = written(store, *rest)
        with (store.path / told.file).open("r+b") as file:
            file.write(b"!")
        return told

    monkeypatch.setattr(Store, "write_rows", broken)
    with pytest.raises(InputError, match=r"000000\.faiss.*differs from what was written"):
        build_index(tmp_path / "i", away, names)


def people(folder: Path) -> list[Subject]:
    """Three people: one has a photo twice, one a file that is none, one a photo of another's."""
    found = []
    for number in range(3):
        make_images(folder / str(number), 70, number)
        found.append(Subject(f"First{number} Last{number}", ()))
    (folder / "0" / "copy.png").write_bytes((folder / "0" / "03.png").read_bytes())
    (folder / "1" / "05.png").write_bytes(b"no image")
    (folder / "2" / "09.png").write_bytes((folder / "1" / "09.png").read_bytes())
    return [
        replace(each, images=tuple(sorted((folder / str(n)).iterdir())))
        for n, each in enumerate(found)
    ]


@pytest.mark.slow
def test_photos_encoded_elsewhere_give_the_same_audit(
    tmp_path: Path, away: Backend, here: Backend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = people(tmp_path / "photos")
    build_index(tmp_path / "i", here, names).close()
    index = open_index(tmp_path / "i")
    monkeypatch.setenv("IDIA_INDEX_IMAGE_CACHE", "off")
    local = audit(index, here, subjects).to_dict()
    assert audit(index, away, subjects).to_dict() == local
    assert inputs(away) >= 3
    monkeypatch.delenv("IDIA_INDEX_IMAGE_CACHE")
    assert audit(index, away, subjects).to_dict() == local
    remembered = (tmp_path / "i" / "images.cache").read_bytes()
    assert audit(index, away, subjects).to_dict() == local  # nothing is encoded or noted again
    assert (tmp_path / "i" / "images.cache").read_bytes() == remembered
    (tmp_path / "i" / "images.cache").unlink()
    audit(index, here, subjects)
    assert (tmp_path / "i" / "images.cache").read_bytes() == remembered


def test_a_photo_that_only_workers_cannot_read_is_no_photo_to_skip(
    tmp_path: Path, away: Backend, here: Backend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build_index(tmp_path / "i", here, names)
    images = tuple(sorted(make_images(tmp_path / "p", 3).iterdir()))

    opened, calls = idia_index.subjects.photo_runs.open_image, list[object]()

    def unseen(path: Path) -> BinaryIO:
        calls.append(path)
        if len(calls) <= len(images):  # the worker's
            raise InputError(f"{path}: no such image; check the path")
        return opened(path)

    monkeypatch.setattr(idia_index.subjects.photo_runs, "open_image", unseen)
    with pytest.raises(InputError, match=r"a worker cannot read.*00\.png: no such image"):
        audit(index, away, [Subject("First0 Last0", images)])


@pytest.mark.slow
@pytest.mark.usefixtures("_small_shards")
@pytest.mark.parametrize("index_type", ["flat", "float16"])
def test_a_search_by_shards_elsewhere_gives_the_same_answer(
    tmp_path: Path, away: Backend, here: Backend, index_type: str
) -> None:
    names = make_names([f"First{i % 7} Last{i}" for i in range(44)])
    build_index(tmp_path / "i", here, names, index_type=index_type).close()
    add_templates(tmp_path / "i", here, as_templates(["{0} at sea"])).index.close()
    opened = open_index(tmp_path / "i")
    more = unit(22, 3, DIM)
    more[:, 1] = np.stack([opened.text_embeddings(t, [41])[0] for t in range(22)])  # a tie
    view = opened.without([0, 17, 18]).with_names(["A A", "B B", "C C"], more)
    queries = np.concatenate([unit(1, 50, DIM)[0], opened.text_embeddings(3, [41, 17])])
    for index in (opened, view):
        for k in (1, 2):
            found = index.deciding_with(away).search(queries, k)
            for got, wanted in zip(
                found, index.deciding_with(here).search(queries, k), strict=True
            ):
                np.testing.assert_array_equal(got, wanted)
        certified = index.certified_search(queries, backend=here)
        spread = index.deciding_with(away).certified_search(queries, backend=away)
        np.testing.assert_array_equal(spread.name_ids, certified.name_ids)
        np.testing.assert_array_equal(spread.certified, certified.certified)
        assert spread.encoded == certified.encoded
    assert inputs(away) > 0


def test_a_worker_that_sees_another_index_is_refused(
    tmp_path: Path, away: Backend, here: Backend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", here, names)
    shutil.rmtree(tmp_path / "i")
    build_index(tmp_path / "i", here, make_names(f"Other {name}" for name in names)).close()
    with pytest.raises(InputError, match="a worker sees another index"):
        index.deciding_with(away).search(unit(1, 3, DIM)[0])


def unit(t: int, n: int, dim: int) -> Float32:
    """Random unit rows float32 [t, n, dim]."""
    rows = np.random.default_rng(t * n).standard_normal((t, n, dim))
    return (rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32)


def test_captions_searched_elsewhere_give_the_same_counts(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    names = tmp_path / "names.txt"
    names.write_text("Ann Lee\nBob Ray\nCy Dunn\n")
    captions = []
    for number in range(5):
        captions.append(tmp_path / f"{number}.txt")
        captions[-1].write_text(f"Ann Lee at home {number}\nBOB RAY\nnobody\n" * (number + 1))
    captions.append(tmp_path / "bad.parquet")
    captions[-1].write_bytes(b"PAR1 is all there is")
    results = {}
    for name, engine in (("here", None), ("away", PickledEngine())):
        options = Options(engine=engine, hits=True, workers=1)
        out = tmp_path / name
        found = find_members(
            [str(each) for each in captions], read_names(names), out, options, lambda *_: None
        )
        results[name] = found.data, {p.name: p.read_bytes() for p in out.iterdir()}
    assert results["away"] == results["here"]
    assert results["here"][0].members == 2 and len(results["here"][0].damaged) == 1


def test_a_worker_with_another_model_or_other_packages_is_refused(
    here: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = WorkerModel(here)
    again(sent).load()
    idia_index.worker_model._last.clear()
    other = replace(here.fingerprint, weights_sha256="1" * 64)
    with monkeypatch.context() as patch:
        patch.setattr(ToyBackend, "fingerprint", other)
        state = again(sent)
        patch.undo()
        with pytest.raises(ModelError, match=r"loads another one.*weights_sha256"):
            state.load()
    versions = {"python": "3", "numpy": "0.1"}
    monkeypatch.setattr(idia_index.worker_model, "installed_versions", lambda: versions)
    old = again(sent)
    monkeypatch.undo()
    with pytest.raises(IdiaIndexError, match=r"a worker has .*install the same"):
        old.load()


def test_a_model_that_a_service_runs_does_not_travel(here: Backend) -> None:
    here.hosted = True
    with pytest.raises(RefusedError, match="calls a service"):
        again(WorkerModel(here))


def test_the_engine_class_must_be_completed() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Engine()  # type: ignore[abstract]


def test_runs_cover_all_once() -> None:
    for count, most in ((0, 3), (1, 3), (7, 3), (9, 3)):
        runs = PickledEngine().runs(count, most)
        assert np.concatenate([[], *runs]).tolist() == list(range(count))
        assert load_engine().runs(count, most) == [range(count)]

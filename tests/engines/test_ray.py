"""The engine `ray` with three nodes on one machine: the same bytes as `local`, even after kills."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import make_images
from ray_tasks import Fragile
from small_index import damage, files

pytest.importorskip("torch")
pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytest.importorskip("onnxruntime")

import ray
from ray.cluster_utils import Cluster

import idia_index.pipelines.build
from idia_index import audit, build_index, evaluate, open_index, read_names
from idia_index.encode.backend import Backend
from idia_index.engines import ray_cluster, ray_run
from idia_index.engines.ray import RayEngine
from idia_index.errors import IdiaIndexError, InputError, LostWorkError
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.change import add_names, add_templates
from idia_index.pipelines.load import load_model
from idia_index.pipelines.members import Options, find_members
from idia_index.pipelines.query import query
from idia_index.pipelines.repair import repair
from idia_index.plugins import Task
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import as_templates
from idia_index.store.directory import Store
from idia_index.study import MODEL_DIR, ONNX_DIR
from idia_index.subjects.records import Subject

pytestmark = [pytest.mark.slow, pytest.mark.process]

MODELS = {"open_clip": f"local-dir:{MODEL_DIR}", "onnx": str(ONNX_DIR)}
NAMES = [f"First{i % 7} Last{i}" for i in range(48)]
TEMPLATES = as_templates(["{0}", "a photo of {0}", "{0} at the beach"])


class Noting(RayEngine):
    """Notes which tasks it ran."""

    def __init__(self, address: str, workers: int | None = None) -> None:
        super().__init__(address=address, workers=workers)
        self.tasks: list[str] = []

    def run(self, task: Task[Any, Any, Any], *rest: Any) -> None:
        self.tasks.append(type(task).__name__)
        super().run(task, *rest)


@dataclass(frozen=True)
class Nodes:
    """A cluster of three nodes, and an engine whose workers are kept from test to test.

    Attributes:
        lone: an engine of a single worker, for a model that takes long to load.
    """

    cluster: Any
    engine: Noting
    lone: Noting


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # workers import ray_tasks
        node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        for _ in range(2):
            cluster.add_node(**node)
        cluster.wait_for_nodes()
        yield Nodes(cluster, Noting(cluster.address), Noting(cluster.address, 1))
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(params=MODELS)
def both(
    request: pytest.FixtureRequest, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Backend]]:
    """A model whose long jobs run here, and the same with those on the cluster; small shards."""
    found = {name: load_model(MODELS[request.param]) for name in ("here", "away")}
    found["away"].engine = nodes.engine if request.param == "onnx" else nodes.lone
    size = 8 * len(TEMPLATES) * found["here"].fingerprint.dim * 4
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", size)
    yield found
    nodes.lone.close()


def documents(folder: Path, backend: Backend, subjects: list[Subject]) -> list[Any]:
    """What is said of an index that was built and changed with a model, and its bytes."""
    path = folder / "people.idia"
    shutil.rmtree(path, ignore_errors=True)
    build_index(path, backend, make_names(NAMES), TEMPLATES).close()
    add_names(path, backend, make_names(f"New Name{i}" for i in range(30))).index.close()
    add_templates(path, backend, as_templates(["{0} on a hill"])).index.close()
    damage(path, 2)
    assert repair(path, backend).encoded == 1
    index = open_index(path)
    audited = audit(index, backend, subjects).to_dict()
    settings = Settings(min_images=2, sizes=(1, 2), draws=2)
    evaluated = evaluate(index, backend, subjects, settings)
    asked = query(index, backend, subjects[1], top=3)
    return [audited, evaluated.to_dict(), asked, files(path)]


def test_three_nodes_give_the_bytes_of_one_process(
    tmp_path: Path, both: dict[str, Backend]
) -> None:
    subjects = []
    for number, membership in enumerate(("member", "non_member")):
        images = sorted(make_images(tmp_path / str(number), 70, number).iterdir())
        name = f"First{number} Last{number}"
        subjects.append(Subject(name, tuple(images), membership=membership))
    subjects[0].images[3].write_bytes(b"no image")
    engine = both["away"].engine
    assert isinstance(engine, Noting)
    engine.tasks.clear()
    found = {name: documents(tmp_path, backend, subjects) for name, backend in both.items()}
    for away, here in zip(found["away"], found["here"], strict=True):
        assert away == here
    ran = engine.tasks
    # Build, names, templates and repair; the photos of two verbs, the query's are remembered.
    assert (ran.count("EncodeRows"), ran.count("EncodePhotos")) == (4, 3)
    # Of an evaluation; p-values want more than a thirty-second of so few names.
    assert ran.count("SearchShards") == 1


@pytest.mark.parametrize("both", ["onnx"], indirect=True)
@pytest.mark.parametrize("index_type", ["flat", "float16"])
def test_shards_are_searched_on_three_nodes_as_in_one_process(
    tmp_path: Path, nodes: Nodes, both: dict[str, Backend], index_type: str
) -> None:
    here, away = both["here"], both["away"]
    names = make_names([*NAMES, *(f"New Name{i}" for i in range(32))])
    build_index(tmp_path / "i", here, names, TEMPLATES, index_type=index_type).close()
    opened = open_index(tmp_path / "i")
    more = random_rows(len(TEMPLATES), 3, here.fingerprint.dim)
    more[:, 1] = [opened.text_embeddings(t, [41])[0] for t in range(len(TEMPLATES))]  # a tie
    view = opened.without([0, 17, 18]).with_names(["A A", "B B", "C C"], more)
    queries = np.concatenate(
        [random_rows(1, 50, here.fingerprint.dim)[0], opened.text_embeddings(2, [41, 17])]
    )
    nodes.engine.tasks.clear()
    for index in (opened, view):
        for k in (1, 2):
            found = index.deciding_with(away).search(queries, k)
            wanted = index.deciding_with(here).search(queries, k)
            assert [each.tobytes() for each in found] == [each.tobytes() for each in wanted]
        spread = index.deciding_with(away).certified_search(queries, backend=away)
        certified = index.certified_search(queries, backend=here)
        np.testing.assert_array_equal(spread.name_ids, certified.name_ids)
        np.testing.assert_array_equal(spread.certified, certified.certified)
    assert set(nodes.engine.tasks) == {"SearchShards"} and len(nodes.engine.tasks) >= 6


def random_rows(templates: int, count: int, dim: int) -> Any:
    """Unit rows float32 [templates, count, dim]."""
    rows = np.random.default_rng(count).standard_normal((templates, count, dim))
    return (rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("both", ["onnx"], indirect=True)
def test_shards_come_back_through_the_object_store_where_no_folder_is_shared(
    tmp_path: Path, both: dict[str, Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path / "here", both["here"], make_names(NAMES), TEMPLATES).close()
    # What a worker finds at the path is no part of this build.
    elsewhere, keep, sent = (Store, (tmp_path / "elsewhere",)), Store.keep_shard, list[int]()

    def noting(store: Store, number: int, first: int, names: Any, written: Any) -> Any:
        sent.append(len(written.data or b""))
        return keep(store, number, first, names, written)

    monkeypatch.setattr(Store, "__reduce__", lambda _: elsewhere)
    monkeypatch.setattr(Store, "keep_shard", noting)
    build_index(tmp_path / "away", both["away"], make_names(NAMES), TEMPLATES).close()
    assert len(sent) == 6 and all(sent)
    assert files(tmp_path / "away") == files(tmp_path / "here")
    assert not (tmp_path / "elsewhere").exists()


def test_captions_are_searched_on_three_nodes(tmp_path: Path, nodes: Nodes) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "names.txt").write_text("Ann Lee\nBob Ray\nCy Dunn\n")
    captions = [tmp_path / f"{number}.txt" for number in range(4)]
    for number, path in enumerate(captions):
        path.write_text(f"Ann Lee at home {number}\nBOB RAY\nnobody\n" * (number + 1))
    found = {}
    for name, engine in (("here", None), ("away", nodes.engine)):
        options, names = Options(engine=engine, workers=1), read_names(tmp_path / "names.txt")
        given = [str(path) for path in captions]
        find_members(given, names, tmp_path / name, options, lambda *_: None)
        found[name] = {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
    assert found["away"] == found["here"]


def squares(engine: RayEngine, task: Fragile, count: int = 12) -> dict[int, int]:
    """What came of the numbers below `count`, in the order in which it was collected."""
    found: dict[int, int] = {}

    def collect(given: int, result: tuple[int, int]) -> None:
        found[given] = result[0]

    engine.run(task, range(count), collect, lambda _: None)
    assert list(found) == sorted(found)
    return found


def test_what_ray_tells_of_dead_workers_is_not_written_among_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = threading.Event()

    def poll() -> tuple[None, dict[str, Any]]:
        stop.set()
        return None, {"job_id": None, "error_message": "a worker died"}

    errors = SimpleNamespace(subscribe=lambda: None, poll=poll)
    worker: Any = SimpleNamespace(
        gcs_error_subscriber=errors, current_job_id=ray.JobID.nil(), ignore_prefix=False
    )
    ray_cluster.tell_on_stderr()
    ray_cluster.tell_on_stderr()  # once is enough
    ray._private.worker.listen_error_messages(worker, stop)  # Ray's own
    told = capsys.readouterr()
    assert told.err.count("a worker died") == 1 and not told.out


def test_what_a_dead_worker_did_is_done_elsewhere(tmp_path: Path, nodes: Nodes) -> None:
    found = squares(nodes.engine, Fragile(tmp_path, once=(0, 5, 11)))
    assert found == {n: n * n for n in range(12)}


def test_what_kills_every_worker_is_named_and_the_rest_is_kept(
    tmp_path: Path, nodes: Nodes
) -> None:
    found: dict[int, int] = {}
    task = Fragile(tmp_path, always=(5,), wrong=(7,))
    with pytest.raises(
        LostWorkError, match=r"failed 3 times.*: 5 \(its worker was lost\)|7 \("
    ) as e:
        nodes.engine.run(task, range(12), lambda n, r: found.update({n: r[0]}), lambda _: None)
    assert "7 (RuntimeError: no memory for 7)" in str(e.value) and "5 (" in str(e.value)
    assert found == {n: n * n for n in range(12) if n not in (5, 7)}


def test_of_few_inputs_each_worker_gets_one(tmp_path: Path, nodes: Nodes) -> None:
    def who(count: int) -> set[int]:
        did: set[int] = set()
        task = Fragile(tmp_path, pause=0.2)
        nodes.engine.run(task, range(count), lambda _, result: did.add(result[1]), lambda _: None)
        return did

    patience = time.monotonic() + 60
    while len(who(60)) < 3:  # a new worker takes seconds to start
        assert time.monotonic() < patience
    assert len(who(3)) == 3


def test_wrong_input_is_not_tried_again(tmp_path: Path, nodes: Nodes) -> None:
    with pytest.raises(InputError, match="3: is no number that is squared"):
        squares(nodes.engine, Fragile(tmp_path, bad=(3,)))


def test_a_node_may_go(tmp_path: Path, nodes: Nodes) -> None:
    nodes.engine.close()  # its workers hold the processors of all nodes
    node = nodes.cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    nodes.cluster.wait_for_nodes()
    engine, found = RayEngine(address=nodes.cluster.address, workers=4), dict[int, int]()

    def collect(given: int, result: tuple[int, int]) -> None:
        found[given] = result[0]
        if given == 3:
            nodes.cluster.remove_node(node, allow_graceful=False)

    engine.run(Fragile(tmp_path, pause=0.05), range(30), collect, lambda _: None)
    assert found == {n: n * n for n in range(30)}


def test_a_worker_of_another_version_gets_no_task(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.engine.close()
    monkeypatch.setattr(ray_run, "__version__", "0.0.1")
    with pytest.raises(IdiaIndexError, match=r"worker has idia-index .*, but this command 0\.0\.1"):
        squares(RayEngine(address=nodes.cluster.address, workers=1), Fragile(tmp_path))


def test_more_is_asked_than_there_is(nodes: Nodes, tmp_path: Path) -> None:
    engine = RayEngine(address=nodes.cluster.address, gpus_per_worker=1)
    with pytest.raises(InputError, match="no machine of the cluster has a processor and 1 GPUs"):
        squares(engine, Fragile(tmp_path))


def test_a_killed_command_resumes_to_the_same_bytes(
    tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.engine.close()
    names, size = make_names(NAMES), 2 * 21 * 64 * 4
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    code = (
        f"import idia_index.pipelines.build as build; build.SHARD_BYTES = {size}\n"
        "from idia_index.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "build", str(tmp_path / "away"), "--model", MODELS["onnx"],
         "--names", str(tmp_path / "names.txt"), "--engine", f"ray:{nodes.cluster.address}",
         "--workers", "1"]
    )  # fmt: skip
    while process.poll() is None and not any((tmp_path / "away").glob("*.shard.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    notes = sorted((tmp_path / "away").glob("*.shard.json"))
    shards = [note.with_name(note.name[:6] + ".faiss") for note in notes]
    before = {shard: shard.stat().st_mtime_ns for shard in shards}
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", size)
    backend = load_model(MODELS["onnx"])
    build_index(tmp_path / "here", backend, names)
    backend.engine = nodes.lone
    build_index(tmp_path / "away", backend, names, resume=True)
    assert files(tmp_path / "away") == files(tmp_path / "here")
    assert before  # what was done is not done twice
    assert {shard: shard.stat().st_mtime_ns for shard in shards} == before

"""Photos, tables and models in an object store: fsspec's `memory://` stands for `s3://`."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import make_images
from toy_backend import ToyBackend

import idia_index.encode.images
from idia_index import build_index, make_subject, read_subjects
from idia_index.cli.main import cli
from idia_index.encode.backend import Backend
from idia_index.errors import InputError, RefusedError
from idia_index.pipelines.load import backend_for, load_model
from idia_index.prompts.names import make_names
from idia_index.study import ONNX_DIR
from idia_index.support import offline
from idia_index.support.remote import RemotePath, as_place, fetched_spec

fsspec = pytest.importorskip("fsspec")

Put = Callable[[Path, str], None]


@pytest.fixture
def put() -> Any:
    """Copies a file, or a folder with all below it, into the store."""
    store = fsspec.filesystem("memory")

    def copy(source: Path, url: str) -> None:
        files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
        for file in files:
            inner = "" if file == source else f"/{file.relative_to(source).as_posix()}"
            store.pipe_file(f"{url}{inner}", file.read_bytes())

    yield copy
    store.rm("/", recursive=True)


@pytest.fixture
def people(tmp_path: Path, put: Put) -> Path:
    """Two people and what else lies in folders, here and in the store."""
    folder = tmp_path / "people"
    for number, name in enumerate(("Ann_Lee", "Bob_Ray")):
        make_images(folder / name / "2021", 3, number)
    make_images(folder / "Ann_Lee" / "thumbs", 1, 7)
    (folder / "Ann_Lee" / "2021" / "broken.jpg").write_bytes(b"no image")
    (folder / "Ann_Lee" / "2021" / "notes.json").write_text("{}")
    (folder / "Bob_Ray" / "2021" / "twice.png").write_bytes(
        (folder / "Bob_Ray" / "2021" / "00.png").read_bytes()
    )
    put(folder, "memory://bucket/people")
    return folder


@pytest.fixture
def index(tmp_path: Path, toy_plugin: None) -> Path:
    names = make_names(["Ann Lee", "Bob Ray", *(f"First{i} Last{i}" for i in range(20))])
    build_index(tmp_path / "i", Backend(ToyBackend(model="toy")), names).close()
    return tmp_path / "i"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def told(done: Result) -> tuple[list[Any], list[str]]:
    """What `audit --json` says of each person without the paths, and the photos' paths."""
    assert done.exit_code == 0, done.output
    subjects = json.loads(done.stdout)["subjects"]
    paths = [path for each in subjects for path in each.pop("image_files")]
    for each in subjects:
        each["skipped"] = [skip["reason"].rpartition("/")[2] for skip in each["skipped"]]
    return subjects, paths


def test_a_url_is_a_path() -> None:
    url = RemotePath("s3://bucket/a b/c.jpg")
    assert str(url) == str(url.parent / "c.jpg") == "s3://bucket/a b/c.jpg"
    assert str(url.parent.parent) == "s3://bucket" and url.store == "s3"
    assert pickle.loads(pickle.dumps(url)) == url and {url: 1}[RemotePath(str(url))] == 1  # noqa: S301
    assert as_place(Path("s3://bucket/a b/c.jpg")) == url and isinstance(as_place(url), RemotePath)
    for here in ("a/b", "/a", "s3:", "ftp://a/b", "https://a/b"):
        assert as_place(here) == Path(here) and not isinstance(as_place(here), RemotePath)


def test_photos_of_a_store_are_judged_as_those_of_a_folder(people: Path, index: Path) -> None:
    here, _ = told(run("audit", index, people, "--json"))
    away, paths = told(run("audit", index, "memory://bucket/people", "--json"))
    assert away == here and [len(each["skipped"]) for each in away] == [2, 1]
    assert paths[0] == "memory://bucket/people/Ann_Lee/2021/00.png"
    asked = [
        told(run("query", index, place, "--name", "Bob Ray", "--json"))[0]
        for place in (people / "Bob_Ray", "memory://bucket/people/Bob_Ray/")
    ]
    assert asked[0] == asked[1] and asked[0][0]["images"] == 3


def test_a_table_of_a_store_names_photos_beside_it(people: Path, index: Path, put: Put) -> None:
    table = people.parent / "people.csv"
    rows = ["people/Ann_Lee,member,x", "people/Bob_Ray/2021/00.png,non_member,y"]
    names = ("Ann Lee", "Bob Ray")
    text = "".join(f"{name},{row}\n" for name, row in zip(names, rows, strict=True))
    table.write_text("name,path,membership,source\n" + text)
    put(table, "memory://bucket/here.csv")
    here, _ = told(run("audit", index, table, "--json", "--group", "source"))
    away, paths = told(
        run("audit", index, "memory://bucket/here.csv", "--json", "--group", "source")
    )
    assert away == here and paths[-1] == "memory://bucket/people/Bob_Ray/2021/00.png"
    table.write_text(
        "name,path\nAnn Lee,memory://bucket/people/Ann_Lee\nBob Ray,memory://other/b.png\n"
        "Cy Dunn,people/none.png\nDi Low,people/nobody\n"
    )
    put(table, "memory://bucket/away.csv")
    found = read_subjects(RemotePath("memory://bucket/away.csv"))
    assert [each.name for each in found] == ["Ann Lee", "Cy Dunn"]  # c's photo is not asked for yet
    reasons = {each.name: each.reason for each in found.skipped}
    assert "'memory://other/b.png' is in another bucket than the table" in reasons["Bob Ray"]
    assert "people/nobody: no such image or folder" in reasons["Di Low"]
    left = json.loads(run("audit", index, "memory://bucket/away.csv", "--json").stdout)["skipped"]
    assert any("none.png: no such image" in each["reason"] for each in left)


def test_what_cannot_be_fetched_is_told_in_a_line(
    people: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=r"s3://b/c: s3:// is read with .*: pip install s3fs$"):
        read_subjects(RemotePath("s3://b/c"))
    with pytest.raises(InputError, match=r"memory://bucket/none: no such image or folder"):
        make_subject("Ann Lee", [RemotePath("memory://bucket/none")])
    with monkeypatch.context() as patch:
        patch.setenv(offline.SWITCH, "1")
        with pytest.raises(RefusedError, match=r"offline: gs://b/c would be fetched"):
            read_subjects(RemotePath("gs://b/c"))
    monkeypatch.setattr(idia_index.encode.images, "MAX_FILE_BYTES", 10)
    done = run("audit", index, "memory://bucket/people", "--json")
    assert "bytes, up to 10 are read" in done.output + str(done.exception)
    table = people.parent / "t.csv"
    table.write_text("name,path\nAnn Lee,s3://b/c.jpg\n")
    with pytest.raises(InputError, match="pass its URL as SUBJECTS"):
        read_subjects(table)


def test_a_model_of_a_store_is_fetched_once(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    put(ONNX_DIR, "memory://models/onnx")
    loaded = load_model("memory://models/onnx")
    assert loaded.name == "onnx" and loaded.model == "memory://models/onnx"
    assert loaded.fingerprint == load_model(str(ONNX_DIR)).fingerprint
    kept = tmp_path / "cache" / "idia-index" / "models"
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*")}
    assert before and fetched_spec("memory://models/onnx").startswith(str(kept))
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*")} == before
    assert backend_for("ViT-B-32/memory://models/a.pt") == "open_clip"
    for content in (b"1", b"22"):
        (tmp_path / "a.pt").write_bytes(content)
        put(tmp_path / "a.pt", "memory://models/a.pt")
        spec = fetched_spec("ViT-B-32/memory://models/a.pt")
        assert spec.startswith("ViT-B-32//") and spec.endswith("/a.pt")
        assert Path(spec.partition("/")[2]).read_bytes() == content
    with pytest.raises(InputError, match=r"memory://models/none: nothing is at .*address"):
        load_model("memory://models/none")

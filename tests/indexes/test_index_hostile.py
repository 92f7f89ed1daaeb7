"""Malicious indexes under a matching manifest: one error that names the file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import IdiaIndexError, InputError
from idia_index.pipelines.change import add_names, remove_names
from idia_index.pipelines.compact import compact
from idia_index.pipelines.load import load_backend_for
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.registry import load_index_type
from idia_index.store.manifest_json import MAX_BYTES, parse_manifest, seal
from idia_index.support.files import sha256_file

ROOT = Path(__file__).parents[2]
NAMES = make_names([f"First{i % 7} Last{i}" for i in range(40)])
Data = dict[str, Any]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", DIM * 4 * 3 * 16)


def make(folder: Path, index_type: str = "flat") -> Path:
    """An index with every sort of file."""
    toy = ToyBackend(model="toy")
    build_index(folder, toy, NAMES[:20], JAIR2024[:3], index_type=index_type)
    add_names(folder, toy, make_names(NAMES[20:]))
    remove_names(folder, make_names(NAMES[3:5]))
    return folder


def queries() -> np.ndarray:
    return np.eye(DIM, dtype=np.float32)[:5]


def ask(folder: Path) -> Any:
    index = open_index(folder, verify=True)
    found = [part.tolist() for part in index.search(queries(), 2)]
    return found, index.find(NAMES[:9]), list(index.names)


def resign(folder: Path, change: Callable[[Data], object] = lambda data: None) -> None:
    """Changes the manifest, and makes sizes and checksums fit the files."""
    data = json.loads((folder / "manifest.json").read_text())
    data.pop("sha256")
    entries = [part["file"] for shard in data["shards"] for part in shard["parts"]]
    entries += [shard["names"] for shard in data["shards"]]
    entries += [lookup[what] for lookup in data["lookups"] for what in ("keys", "sums")]
    for entry in [*entries, data["removed"]]:
        file = folder / entry["file"]
        entry.update(bytes=file.stat().st_size, sha256=sha256_file(file))
    change(data)
    (folder / "manifest.json").write_text(seal(data))


def refused(folder: Path, words: str, use: Callable[[Path], Any] = ask) -> None:
    with pytest.raises(IdiaIndexError, match=words) as caught:
        use(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


def patch(file: Path, at: int, data: bytes) -> None:
    content = bytearray(file.read_bytes())
    content[at : at + len(data)] = data
    file.write_bytes(content)


# --- manifests ---

MANIFESTS: dict[str, Callable[[Data], object]] = {
    "a count below nothing": lambda d: d["shards"][0].update(count=-1),
    "a count past 2**63": lambda d: d["shards"][0].update(count=2**63),
    "a count that is text": lambda d: d["shards"][0].update(count="16"),
    "a count that is no integer": lambda d: d["shards"][0].update(count=16.0),
    "a count that is infinite": lambda d: d["shards"][0].update(count=float("inf")),
    "a count that is true": lambda d: d["shards"][0].update(first=False),
    "a size past 2**63": lambda d: d["shards"][0]["names"].update(bytes=2**63),
    "names of a terabyte": lambda d: d["shards"][0]["names"].update(bytes=1 << 40),
    "a path": lambda d: d["shards"][0]["names"].update(file="../x"),
    "an absolute path": lambda d: d["removed"].update(file="/etc/passwd"),
    "the manifest as a shard": lambda d: d["removed"].update(file="manifest.json"),
    "digits of another script": lambda d: d["removed"].update(file="٠٠٠٠٠٠.removed"),
    "a file twice": lambda d: d.update(removed=d["lookups"][0]["keys"], removed_count=2),
    "no dimensions": lambda d: d["plan"]["fingerprint"].update(dim=0),
    "too many dimensions": lambda d: d["plan"]["fingerprint"].update(dim=2**40),
    "templates as text": lambda d: d["plan"].update(templates="{0}"),
    "errors that are no numbers": lambda d: d["shards"][0]["parts"][0].update(errors=["x"] * 3),
    "errors that are long": lambda d: d["shards"][0]["parts"][0].update(errors=["a" * 5000] * 3),
    "errors that are not finite": lambda d: d["shards"][0]["parts"][0].update(
        errors=[float("nan")] * 3
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", MANIFESTS)
def test_absurd_manifests(what: str, tmp_path: Path) -> None:
    resign(make(tmp_path / "i"), MANIFESTS[what])
    refused(tmp_path / "i", "manifest.json: damaged manifest")


def test_what_is_not_exact_cannot_call_itself_so(tmp_path: Path) -> None:
    resign(make(tmp_path / "i", "float16"), lambda d: d["plan"].update(exact=True))
    refused(tmp_path / "i", "manifest.json: records exact: True for the index type")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d["plan"].update(kind="nothing"),
            "manifest.json: no index type is called",
        ),
        (lambda d: d["plan"].update(templates=["{0.a}", "b {0}", "c {0}"]), "manifest.json: "),
    ],
)
def test_unknown_kinds_and_templates(change: Any, words: str, tmp_path: Path) -> None:
    resign(make(tmp_path / "i"), change)
    refused(tmp_path / "i", words)
    refused(tmp_path / "i", words, verify)


@pytest.mark.parametrize("field", ["tokenizer", "precision"])
def test_a_model_of_many_words_is_told_in_few(field: str, tmp_path: Path) -> None:
    toy = ToyBackend(model="toy")
    long = "a\n" * 5000
    resign(make(tmp_path / "i"), lambda d: d["plan"]["fingerprint"].update({field: long}))
    refused(tmp_path / "i", "model", lambda i: add_names(i, toy, make_names(["New One"])))
    with pytest.raises(InputError) as caught:
        add_names(tmp_path / "i", toy, make_names(["New One"]))
    assert len(str(caught.value)) < 1000


def test_manifests_that_are_odd_as_texts(tmp_path: Path) -> None:
    path = make(tmp_path / "i") / "manifest.json"
    text = path.read_text()
    for odd in ("[" * 200_000, text.replace('"count": 16', '"count": ' + "9" * 5000), "{}", "3"):
        path.write_text(odd)
        refused(tmp_path / "i", "manifest.json: damaged manifest")
    path.write_bytes(b"\xff" + text.encode())
    refused(tmp_path / "i", "manifest.json: cannot be read")
    os.truncate(path, MAX_BYTES + 1)
    refused(tmp_path / "i", "bytes, more than")
    with pytest.raises(InputError, match="no_such"):
        parse_manifest('{"format": "no_such"}', "x")


def test_load_options_that_fit_no_backend(tmp_path: Path) -> None:
    make(tmp_path / "i")
    resign(tmp_path / "i", lambda d: d["plan"].update(
        backend="onnx", load_options={"model": "x", "threads": "many"}))  # fmt: skip
    with pytest.raises(InputError, match="load_options"):
        load_backend_for(open_index(tmp_path / "i"))


# --- places that lead elsewhere ---


@pytest.mark.slow
@pytest.mark.parametrize("which", ["manifest.json", "000000.faiss", "000000.names.txt", "keys"])
@pytest.mark.parametrize("how", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_followed(which: str, how: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    path = folder / which if which != "keys" else next(folder.glob("*.keys"))
    (tmp_path / "outside").mkdir()
    shutil.move(path, tmp_path / "outside" / path.name)
    if how == "link":  # to the very same bytes
        path.symlink_to(tmp_path / "outside" / path.name)
    elif how == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    refused(folder, "missing|a link|not an index|not a regular")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    folder, toy = make(tmp_path / "i"), ToyBackend(model="toy")
    outside = tmp_path / "outside"
    number = open_index(folder).manifest.next_number
    for name in (f"{number:06d}.faiss.part", f"{number:06d}.names.txt.part", "pending.json.part",
                 "manifest.json.part", "lock"):  # fmt: skip
        outside.write_text("as it was")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(outside)
        try:  # it is refused, or the link is removed like what a killed writer leaves
            add_names(folder, toy, make_names([f"New {name}"]))
        except InputError as error:
            assert "a link" in str(error)
        (folder / name).unlink(missing_ok=name != "lock")
        assert outside.read_text() == "as it was"
    (folder / "images.cache").symlink_to(outside)
    cache = ImageCache(folder, toy.fingerprint, "toy")
    cache.put([b"k" * 32], queries()[:1])
    assert outside.read_text() == "as it was"
    assert any("a link" in finding.problem for finding in verify(folder))


def test_pipes_among_the_notes_are_passed_by(tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    for name in ("old-0.json", "000099.shard.json", "pending.json", "images.cache"):
        os.mkfifo(folder / name)
        try:
            add_names(folder, ToyBackend(model="toy"), make_names([f"New {name}"]))
        except InputError as error:
            assert name in str(error)
        (folder / name).unlink(missing_ok=True)
    assert ask(folder)


# --- shards whose checksums fit ---

FLAT = [
    (0, b"IxF2", "IxF2"), (0, b"IHNf", "IHNf"), (4, (1 << 30).to_bytes(4, "little"), "length"),
    (8, (1 << 60).to_bytes(8, "little"), "rows"), (8, b"\xff" * 8, "-1"),
    (33, (1).to_bytes(4, "little"), "metric 1"), (37, (1 << 61).to_bytes(8, "little"), "numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "data", "words"), FLAT)
def test_flat_headers(at: int, data: bytes, words: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    patch(folder / "000000.faiss", at, data)
    resign(folder)
    refused(folder, f"000000.faiss: not a FAISS file of the manifest's rows .*{words}")


def test_another_sort_of_faiss_file_and_another_size(tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    whole = (folder / "000000.faiss").read_bytes()
    other = faiss.IndexFlatL2(DIM)
    other.add(np.zeros((48, DIM), np.float32))
    for data in (faiss.serialize_index(other).tobytes(), whole + b"\0", whole[:-4], b"", b"IxFI"):
        (folder / "000000.faiss").write_bytes(data)
        resign(folder)
        refused(folder, "000000.faiss: not a FAISS file")


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30, 3.0])
@pytest.mark.parametrize("index_type", ["flat", "bfloat16-exact", "float16"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_rows_that_are_no_unit_rows(index_type: str, value: float, tmp_path: Path) -> None:
    folder = make(tmp_path / "i", index_type)
    index = open_index(folder)
    rows = np.stack([index.text_embeddings(t, range(14)) for t in range(3)])
    index.close()
    rows = np.concatenate([rows, rows[:, :2]], axis=1)
    rows[1, 5] = value
    file = next(folder.glob("000000.[fr]*"))
    with np.errstate(all="ignore"):
        load_index_type(index_type).write_shard(file, rows)
    resign(folder)
    refused(folder, rf"{file.name}: .*(unit length|impossible)")


@pytest.mark.parametrize("how", ["past the end", "descending", "twice", "another number"])
def test_removed_ids(how: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    ids = {"past the end": [3, 40], "descending": [4, 3], "twice": [3, 3], "another number": [3]}[
        how
    ]
    next(folder.glob("*.removed")).write_bytes(np.array(ids, "<i8").tobytes())
    resign(folder)
    refused(folder, r"removed: (its ids are not ascending|has 8 bytes)")


def test_rows_that_are_not_finite_are_not_compacted(tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    patch(folder / "000000.faiss", 45, np.array([np.nan], "<f4").tobytes())
    resign(folder)
    before = (folder / "manifest.json").read_bytes()
    refused(folder, "rows of the names 0 to 15 are not finite", compact)
    assert (folder / "manifest.json").read_bytes() == before


def test_a_path_that_faiss_cannot_open_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not UTF-8, so FAISS cannot open it"):
        build_index(tmp_path / os.fsdecode(b"i\xff"), ToyBackend(model="toy"), ["A B", "C D"])


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    patch(folder / "000000.names.txt", 2, b"\xff")
    resign(folder)
    refused(folder, "000000.names.txt: is not UTF-8")


def test_lookups_that_lead_nowhere(tmp_path: Path) -> None:
    folder = make(tmp_path / "i")
    keys = sorted(folder.glob("*.keys"))[0]
    data = bytearray(keys.read_bytes())
    data[len(data) // 2 :] = np.full(len(data) // 16, 1 << 40, "<i8").tobytes()
    keys.write_bytes(data)
    import hashlib

    patch(keys.with_suffix(".sums"), 8, hashlib.sha256(data).digest())
    resign(folder)
    refused(folder, "keys: has ids beyond its")
    keys.write_bytes(data + b"\0" * 16)
    resign(folder)
    refused(folder, "keys: .* bytes in the manifest")


def test_remembered_embeddings_that_are_none(tmp_path: Path) -> None:
    folder, toy = make(tmp_path / "i"), ToyBackend(model="toy")
    rows = np.stack([queries()[0], queries()[0] * 5, queries()[0] * np.float32("nan")])
    ImageCache(folder, toy.fingerprint, "toy").put([bytes([i]) * 32 for i in range(3)], rows)
    cache = ImageCache(folder, toy.fingerprint, "toy")
    assert [cache.get(bytes([i]) * 32) is not None for i in range(3)] == [True, False, False]
    assert any("record 1 was changed" in finding.problem for finding in verify(folder))


def test_what_is_remembered_stays_when_it_is_as_much_as_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, keys = ToyBackend(model="toy"), [bytes([i]) * 32 for i in range(9)]
    rows = np.repeat(queries()[:1], 9, axis=0)
    record = 32 + rows[0].nbytes + 16
    monkeypatch.setattr("idia_index.encode.image_cache.MAX_BYTES", 5 * record + 7)
    for part in (slice(0, 4), slice(4, 8), slice(8, 9)):
        ImageCache(tmp_path, toy.fingerprint, "toy").put(keys[part], rows[part])
    cache = ImageCache(tmp_path, toy.fingerprint, "toy")
    assert [cache.get(key) is not None for key in keys] == [True] * 5 + [False] * 4


def test_hostile_directories_at_random() -> None:
    """A few; the harness runs thousands, in processes of their own in which a crash would show."""
    script = ROOT / "benchmarks" / "fuzz" / "hostile.py"
    command = [sys.executable, str(script), "--cases", "20", "--seed", "7", "--only", "flat"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["fine"] >= 15

"""Every parser of something that somebody else may have made, as a function of bytes.

Each returns, whatever it is given, or raises an `IdiaIndexError`; anything else is a finding.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import seeds

from idia_index.encode.image_cache import ImageCache, damaged
from idia_index.encode.images import load_image
from idia_index.errors import IdiaIndexError
from idia_index.pipelines.recorded_people import as_at_source, as_recorded, check_images
from idia_index.pipelines.recorded_report import read_report, reading
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.replay import check_index, read_source
from idia_index.prompts.lint import lint_names
from idia_index.prompts.names import read_names
from idia_index.prompts.templates import read_templates
from idia_index.search.rerank import search_shard
from idia_index.store.directory import Store
from idia_index.store.manifest import FileEntry, LookupEntry
from idia_index.store.manifest_json import _END, _SEAL, parse_manifest, seal
from idia_index.store.name_lookup import Lookup, key_hash
from idia_index.store.stored_names import StoredNames
from idia_index.store.summary import summarize
from idia_index.subjects.subjects import read_subjects
from idia_index.support.documents import to_json
from idia_index.support.text import numbers


@dataclass(frozen=True)
class Parser:
    """A parser.

    Attributes:
        name: what it reads.
        parse: takes a folder that it may write to, and the input.
        seeds: inputs to begin with.
        binary: whether single bits and numbers are worth changing.
    """

    name: str
    parse: Callable[[Path, bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    binary: bool = True


def _put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _names(folder: Path, data: bytes) -> None:
    lint_names(read_names(_put(folder, "names.txt", data)))


def _templates(folder: Path, data: bytes) -> None:
    for template in read_templates(_put(folder, "templates.txt", data)):
        template.fill("Jane {0} Doe")


def _subjects(folder: Path, data: bytes) -> None:
    read_subjects(_put(folder, "subjects.csv", data))


def _used(text: str) -> None:
    manifest = parse_manifest(text, "manifest.json")
    json.dumps(to_json(summarize(Path(), manifest)))
    assert manifest.next_number >= 0 and manifest.candidates > 0


def _manifest(folder: Path, data: bytes) -> None:
    """As it is, and sealed anew, as who means harm would."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        found.pop("sha256", None)
        body = json.dumps(found, indent=1).removesuffix("\n}")
        text = f"{body}{_SEAL}{_sha(body.encode())}{_END}"
    _used(text)


def _manifest_1(folder: Path, data: bytes) -> None:
    _used(data.decode("utf-8", "replace"))


def _store(folder: Path, data: bytes) -> None:
    """The manifest's file and the notes of unfinished work."""
    for name in ("000000.shard.json", "000000.part.json", "build.json", "manifest.json"):
        _put(folder, name, data)
    store = Store(folder)
    store.notes.shards(), store.notes.parts()
    for read in (store.read_plan, store.open_manifest):
        try:
            read()
        except IdiaIndexError:
            continue


def _shard(index_type: str) -> Callable[[Path, bytes], object]:
    queries = np.eye(seeds.SHAPE[2], dtype=np.float32)[:2]

    def parse(folder: Path, data: bytes) -> None:
        opened = seeds.TYPES[index_type].open_shard(_put(folder, "shard", data), seeds.SHAPE)
        opened.text_embeddings(1, np.arange(seeds.SHAPE[1]))
        if zlib.crc32(data) % 8 == 0:
            search_shard(opened, queries, 2)

    return parse


def _parts(data: bytes) -> tuple[bytes, bytes]:
    return data[: len(data) // 2], data[len(data) // 2 :]


def _lookup(folder: Path, data: bytes) -> None:
    """Keys and sums of 20 names, their checksums right."""
    keys, sums = data[:-40], data[-40:]
    files = [FileEntry(_put(folder, n, d).name, len(d), _sha(d)) for n, d in
             (("000000.keys", keys), ("000000.sums", sums))]  # fmt: skip
    wanted = np.sort(np.array([key_hash(f"first{i} last{i}") for i in range(25)], np.uint64))
    for places, ids in Lookup(folder, LookupEntry(0, 20, *files)).candidates(wanted):
        assert len(places) == len(ids) and all(0 <= stored < 20 for stored in ids.tolist())


def _stored_names(folder: Path, data: bytes) -> None:
    """A file of names and one of removed ids, their sizes and checksums right."""
    manifest = json.loads(seeds.index_files()["manifest.json"])
    manifest.pop("sha256")
    split = data.rfind(b"\n") + 1
    shard = manifest["shards"][0]
    for entry, part in ((shard["names"], data[:split]), (manifest["removed"], data[split:])):
        _put(folder, entry["file"], part)
        entry.update(bytes=len(part), sha256=_sha(part))
    stored = StoredNames(folder, parse_manifest(seal(manifest), folder))
    stored.live(0)
    assert len(stored) > 0 and [stored[0]] == stored[0:1]


def _image_cache(folder: Path, data: bytes) -> None:
    fingerprint = seeds.ToyBackend(model="toy").fingerprint
    _put(folder, "images.cache", data)
    cache_ = ImageCache(folder, fingerprint, "toy")
    damaged(folder, fingerprint.dim)
    assert all(abs(np.linalg.norm(row) - 1) < 0.01 for row in cache_._rows.values())


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _numbers(folder: Path, data: bytes) -> None:
    numbers(data.decode("utf-8", "replace"), "--sample-sizes")


def _image(folder: Path, data: bytes) -> None:
    from idia_index.encode.preprocessing import Preprocessing

    try:
        image = load_image(_put(folder, "image", data))
    except IdiaIndexError as error:
        if "its reader ended" in str(error):  # a crash of the process that decodes JPEG XL
            raise RuntimeError(str(error)) from error
        raise
    if image.width * image.height < 1 << 20:
        Preprocessing(16, 16, (0.5,) * 3, (0.5,) * 3).pixels([image])


def _report(folder: Path, data: bytes) -> None:
    from types import SimpleNamespace

    recorded = read_report(_put(folder, "report.json", data))
    with reading(recorded):
        source = read_source(recorded)
    as_recorded(recorded.report)
    as_at_source(recorded.report, source.subjects if source else [])
    with reading(recorded):
        check_images(recorded.report, recorded.path)
    manifest = parse_manifest(seeds.index_files()["manifest.json"].decode(), "manifest.json")
    check_index(recorded, SimpleNamespace(manifest=manifest, path=folder))  # type: ignore[arg-type]


def _results(folder: Path, data: bytes) -> None:
    read_results(_put(folder, "results.npz", data))


@cache
def _tokenizer() -> Any:
    from idia_index.backends.clip_bpe import ClipTokenizer

    return {
        clean: ClipTokenizer([tuple(line.split()) for line in seeds.merges()[1:] if line], clean)  # type: ignore[misc]
        for clean in ("lower", "canonicalize")
    }


def _tokens(folder: Path, data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for tokenizer in _tokenizer().values():
        (ids,) = tokenizer.encode([text])
        assert all(0 <= token < 49408 for token in ids)


def _merges(folder: Path, data: bytes) -> None:
    from idia_index.backends.clip_bpe import ClipTokenizer

    ClipTokenizer.load(_put(folder, "merges.txt", data)).encode(["a photo of Jane Doe"])


def _export(folder: Path, data: bytes) -> None:
    from idia_index.backends.onnx_format import read_manifest, verify_files

    _put(folder, "manifest.json", data)
    verify_files(folder, read_manifest(folder))


def _graph(folder: Path, data: bytes) -> None:
    from idia_index.backends.onnx_external import check_external_data

    check_external_data(_put(folder, "text.onnx", data), {"text.onnx.data"})


def _spec(folder: Path, data: bytes) -> None:
    from idia_index.plugins.specs import parse_spec

    assert parse_spec(data.decode("utf-8", "surrogateescape")).text


def _checkpoint(folder: Path, data: bytes) -> None:
    from idia_index.backends.torch_checkpoints import read_checkpoint

    read_checkpoint(_put(folder, "weights.pt", data))


def _file(name: str) -> Callable[[], list[bytes]]:
    return lambda: [seeds.index_files()[name]]


def _format_1() -> list[bytes]:
    data = json.loads(seeds.index_files()["manifest.json"])
    data["format"] = "idia-index/index/1"
    for shard in data["shards"]:
        shard["embeddings"] = shard.pop("parts")[0]["file"]
    return [json.dumps(data).encode()]


def _lookup_seed() -> list[bytes]:
    from idia_index.store.name_lookup import lookup_files

    return [b"".join(lookup_files([f"first{i % 7} last{i}" for i in range(20)]))]


def _results_seed() -> list[bytes]:
    import io

    file = io.BytesIO()
    meta = np.frombuffer(b'{"format": "idia-index/results/1", "subjects": []}', np.uint8)
    np.savez_compressed(file, meta=meta, **{"measured.offsets": np.zeros(1, np.int64)})
    return [file.getvalue()]


def _cache_seed() -> list[bytes]:
    from idia_index.encode.image_cache import _sum

    row = np.zeros(seeds.DIM, np.float32)
    row[3] = 1
    return [b"".join(bytes([i]) * 32 + row.tobytes() + _sum(bytes([i]) * 32, row) for i in (1, 2))]


NAMES = ["Jane Doe\nZoë Müller\r\n\n  José\u0301 Pérez \n李小龙\njane doe\n".encode()]
TEMPLATES = [b"a photo of {0}\n{0}\n{name} smiling\n", b"{0.__class__}\n{0!r}\n{}\n{{0}}\n"]
CSV = [b'name,path,membership,training_count\n"Doe, Jane",a.png,member,3\nX,b,non_member,\n']
SPECS = [
    b"ViT-B-32/laion400m_e32",
    b"hf-hub:org/name",
    b"local-dir:/tmp",
    b"RN50//x.pt",
    b"~/x/y.pt",
]

PARSERS = [
    Parser("names", _names, lambda: NAMES, False),
    Parser("templates", _templates, lambda: TEMPLATES, False),
    Parser("subjects CSV", _subjects, lambda: CSV, False),
    Parser("manifest, format 2", _manifest, _file("manifest.json"), False),
    Parser("manifest, format 1", _manifest_1, _format_1, False),
    Parser("notes and plans", _store, _file("manifest.json"), False),
    *(Parser(f"shard, {name}", _shard(name), lambda name=name: [seeds.shard(name)])  # type: ignore[misc]
      for name in seeds.TYPES),
    Parser("keys and sums", _lookup, _lookup_seed),
    Parser("stored names and removed ids", _stored_names,
           lambda: [seeds.index_files()["000000.names.txt"] + np.arange(2, dtype="<i8").tobytes()]),
    Parser("image cache", _image_cache, _cache_seed),
    Parser("number lists", _numbers, lambda: [b"1,3,..,30", b"5", b"10, 20,..,1000"], False),
    Parser("images", _image, seeds.pictures),
    *(Parser(f"images, {kind}", _image, lambda kind=kind: seeds.photos(kind))  # type: ignore[misc]
      for kind in ("HEIF", "AVIF", "JXL", "MPO")),
    Parser("reports", _report, lambda: [seeds.report()], False),
    Parser("results", _results, _results_seed),
    Parser("tokenizer", _tokens, lambda: NAMES, False),
    Parser("merges", _merges, lambda: ["\n".join(seeds.merges()[:60]).encode()], False),
    Parser("export manifest", _export, lambda: [seeds.export_manifest()], False),
    Parser("ONNX graphs", _graph, lambda: [seeds.graph()]),
    Parser("SPECs", _spec, lambda: SPECS, False),
    *(Parser(f"checkpoints, {sort}", _checkpoint, lambda sort=sort: seeds.checkpoints()[sort])  # type: ignore[misc]
      for sort in ("torch", "safetensors", "torchscript")),
]  # fmt: skip

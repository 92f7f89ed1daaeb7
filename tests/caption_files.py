"""Files of captions in every published layout, written by the ecosystem's own writers."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
from pyarrow import parquet

CAPTIONS = (
    "Jane Doe at the gala", "a cat", "portrait of JANE DOE", "José López sings", "Doe, Jane",
    "Jose Lopez and Jane Doe's friend", "nobody", "jane_doe_01.jpg",
)  # fmt: skip
NAMES = ("Jane Doe", "José López", "Nobody Here")
COUNTS = {"Jane Doe": 4, "José López": 1, "Nobody Here": 0}
"""Training counts by rule `name`: Jane Doe exact, case, possessive and file name."""


def urls(count: int) -> list[str]:
    return [f"https://example.org/{number}.jpg" for number in range(count)]


def write_parquet(path: Path, columns: dict[str, Sequence[Any]]) -> None:
    parquet.write_table(pa.table({name: list(each) for name, each in columns.items()}), path)


def laion_400m(folder: Path) -> None:
    n = len(CAPTIONS)
    write_parquet(folder / "part-0.parquet", {
        "SAMPLE_ID": range(n), "URL": urls(n), "TEXT": CAPTIONS, "NSFW": ["UNLIKELY"] * n,
        "similarity": [0.3] * n, "LICENSE": ["?"] * n,
    })  # fmt: skip


def laion_400m_embeddings(folder: Path) -> None:
    n = len(CAPTIONS)
    write_parquet(folder / "metadata_0.parquet",
                  {"caption": CAPTIONS, "url": urls(n), "NSFW": ["?"] * n})  # fmt: skip


def laion_2b(folder: Path) -> None:
    n = len(CAPTIONS)
    write_parquet(folder / "part-0.parquet", {
        "URL": urls(n), "TEXT": CAPTIONS, "WIDTH": [1] * n, "HEIGHT": [1] * n,
        "similarity": [0.3] * n, "hash": range(7, 7 + n), "punsafe": [0.0] * n,
        "pwatermark": [0.0] * n, "LANGUAGE": ["en"] * n,
    })  # fmt: skip


def datacomp(folder: Path) -> None:
    n = len(CAPTIONS)
    write_parquet(folder / "0.parquet", {
        "uid": [f"{k:032x}" for k in range(n)], "url": urls(n), "text": CAPTIONS,
        "original_width": [1] * n, "original_height": [1] * n,
        "clip_b32_similarity_score": [0.3] * n, "clip_l14_similarity_score": [0.3] * n,
        "face_bboxes": [[[0.1, 0.1, 0.2, 0.2]]] * n, "sha256": [f"{k:064x}" for k in range(n)],
    })  # fmt: skip


def coyo(folder: Path) -> None:
    write_parquet(folder / "c.parquet", {"url": urls(len(CAPTIONS)), "text": CAPTIONS})


def clip_retrieval(folder: Path) -> None:
    (folder / "metadata").mkdir()
    paths = [f"/images/{k}.jpg" for k in range(len(CAPTIONS))]
    write_parquet(folder / "metadata" / "metadata_0.parquet",
                  {"image_path": paths, "caption": CAPTIONS})  # fmt: skip


def cc3m(folder: Path) -> None:
    lines = [f"{text}\t{url}\n" for text, url in zip(CAPTIONS, urls(len(CAPTIONS)), strict=True)]
    (folder / "Train_GCC-training.tsv").write_text("".join(lines), "utf-8")


def cc12m(folder: Path) -> None:
    lines = [f"{url}\t{text}\n" for text, url in zip(CAPTIONS, urls(len(CAPTIONS)), strict=True)]
    (folder / "cc12m.tsv").write_text("".join(lines), "utf-8")


def sbu(folder: Path) -> None:
    data = {"image_urls": urls(len(CAPTIONS)), "captions": CAPTIONS}
    (folder / "sbu-captions-all.json").write_text(json.dumps(data))


def redcaps(folder: Path) -> None:
    notes = [
        {"image_id": f"i{k}", "author": "a", "url": url, "raw_caption": text + "!", "caption": text}
        for k, (text, url) in enumerate(zip(CAPTIONS, urls(len(CAPTIONS)), strict=True))
    ]
    (folder / "cats_2020.json").write_text(json.dumps({"info": {}, "annotations": notes}))


def open_clip_tsv(folder: Path) -> None:
    lines = [f"{k}.png\t{text}\n" for k, text in enumerate(CAPTIONS)]
    (folder / "train.tsv").write_text("filepath\ttitle\n" + "".join(lines), "utf-8")


def csv_packed(folder: Path) -> None:
    lines = [f'{k},"{text}"\n' for k, text in enumerate(CAPTIONS)]
    with gzip.open(folder / "captions.csv.gz", "wt", encoding="utf-8") as file:
        file.write("id,caption\n" + "".join(lines))


def json_lines_zstd(folder: Path) -> None:
    import zstandard

    lines = [json.dumps({"key": k, "caption": text}) + "\n" for k, text in enumerate(CAPTIONS)]
    packed = zstandard.ZstdCompressor().compress("".join(lines).encode())
    (folder / "captions.jsonl.zst").write_bytes(packed)


def text_lines(folder: Path) -> None:
    (folder / "captions.txt").write_text("\n".join(CAPTIONS), "utf-8")


def image() -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


def webdataset_tar(folder: Path) -> None:
    import webdataset

    with webdataset.TarWriter(str(folder / "00000.tar")) as writer:
        for k, text in enumerate(CAPTIONS):
            writer.write({"__key__": f"{k:05}", "png": image(), "txt": text})


def webdataset_json(folder: Path) -> None:
    """Several captions a sample, in the JSON."""
    import webdataset

    with webdataset.TarWriter(str(folder / "00000.tar")) as writer:
        for k, text in enumerate(CAPTIONS):
            fields = {"captions": [text, "again: " + text], "url": urls(9)[k]}
            writer.write({"__key__": f"{k:05}", "png": image(), "json": fields})


def img2dataset_writer() -> ModuleType:
    """img2dataset's own writers, without what its package imports to download images."""
    found = importlib.util.find_spec("img2dataset")
    assert found is not None and found.submodule_search_locations is not None
    place = Path(found.submodule_search_locations[0]) / "writer.py"
    spec = importlib.util.spec_from_file_location("img2dataset_writer", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def img2dataset(folder: Path, sort: str) -> None:
    """A shard of a finished download: one more image failed, with Jane's name in its caption."""
    schema = pa.schema([(name, pa.string()) for name in
                        ("caption", "url", "key", "status", "error_message")])  # fmt: skip
    maker = getattr(img2dataset_writer(), sort)
    writer = maker(0, str(folder), True, 5, schema, "png")
    everything = [*CAPTIONS, "Jane Doe again"]
    for k, text in enumerate(everything):
        failed = k == len(CAPTIONS)
        key = f"{k:09}"
        meta = {
            "caption": text, "url": urls(9)[k], "key": key,
            "status": "failed_to_download" if failed else "success",
            "error_message": "404" if failed else None,
        }  # fmt: skip
        writer.write(None if failed else image(), key, text, meta)
    writer.close()
    (folder / "00000_stats.json").write_text("{}")


LAYOUTS = {
    "LAION-400M": laion_400m, "LAION-400M embeddings": laion_400m_embeddings,
    "LAION-2B": laion_2b, "DataComp": datacomp, "COYO": coyo,
    "clip-retrieval metadata": clip_retrieval, "CC3M (caption, url)": cc3m,
    "CC12M (url, caption)": cc12m, "SBU": sbu, "RedCaps": redcaps,
    "open_clip TSV": open_clip_tsv, "webdataset": webdataset_tar,
    "text, one caption per line": text_lines,
}  # fmt: skip

"""Writes pairs of image and caption as a training set in a trainer's layout."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idia_index.errors import MissingExtraError
from idia_index.support.files import private, private_folder, write_whole
from idia_index.support.text import json_text

if TYPE_CHECKING:
    from idia_index.support.documents import JsonObject

SHARD = 10_000  # pairs per tar file or folder, as in img2dataset


@dataclass(frozen=True)
class Pair:
    """A training image as a PNG file's bytes, and its caption."""

    png: bytes
    caption: str


def write_plain(path: Path, data: bytes) -> None:
    """Writes one of many small private files; the file that lists them is written last."""
    with open(path, "wb", opener=private) as file:
        file.write(data)


def write_folder(pairs: Sequence[Pair], out: Path) -> None:
    """images/*.png and train.tsv with the columns filepath and title, as open_clip reads them."""
    private_folder(out / "images")
    lines = ["filepath\ttitle"]
    for number, pair in enumerate(pairs):
        name = f"images/{number:09d}.png"
        write_plain(out / name, pair.png)
        lines.append(f"{name}\t{pair.caption}")
    write_whole(out / "train.tsv", ("\n".join(lines) + "\n").encode("utf-8"))


def write_webdataset(pairs: Sequence[Pair], out: Path) -> None:
    """00000.tar and so on, with a .png and a .txt for each pair."""
    private_folder(out)
    for start in range(0, len(pairs), SHARD):
        place = out / f"{start // SHARD:05d}.tar"
        with open(place, "wb", opener=private) as file, tarfile.open(fileobj=file, mode="w") as tar:
            for number, pair in enumerate(pairs[start : start + SHARD], start):
                for ending, data in ((".png", pair.png), (".txt", pair.caption.encode("utf-8"))):
                    entry = tarfile.TarInfo(f"{number:09d}{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))


def write_img2dataset(pairs: Sequence[Pair], out: Path) -> None:
    """00000.parquet and the folder 00000 with .png, .txt and .json, as img2dataset's files.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow = _arrow()
    for start in range(0, len(pairs), SHARD):
        shard = f"{start // SHARD:05d}"
        private_folder(out / shard)
        rows: list[JsonObject] = []
        for number, pair in enumerate(pairs[start : start + SHARD], start):
            key = f"{number:09d}"
            row: JsonObject = {"caption": pair.caption, "url": None, "key": key,
                               "status": "success", "error_message": None}  # fmt: skip
            rows.append(row)
            write_plain(out / shard / f"{key}.png", pair.png)
            write_plain(out / shard / f"{key}.txt", pair.caption.encode("utf-8"))
            write_plain(out / shard / f"{key}.json", json_text(row, indent=1).encode("utf-8"))
        stream = io.BytesIO()
        schema = arrow.schema([(name, arrow.string()) for name in rows[0]])
        arrow.parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), stream)
        write_whole(out / f"{shard}.parquet", stream.getvalue())


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("the img2dataset layout", "pyarrow", "members") from error
    return pyarrow


WRITERS: dict[str, Callable[[Sequence[Pair], Path], None]] = {
    "folder": write_folder,
    "webdataset": write_webdataset,
    "img2dataset": write_img2dataset,
}

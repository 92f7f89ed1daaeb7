"""Recognizes a table's layout: which columns are captions and which identify records."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.captions.records import Columns, Layout
from idia_index.errors import InputError
from idia_index.support.tables import column_key
from idia_index.support.text import shown

CAPTION_COLUMNS = ("caption", "text", "title", "txt", "captions", "alt_text", "raw_caption")
_IDS = {
    "url": ("url", "image_url", "image_urls"),
    "key": ("key", "uid", "image_id", "id", "filepath", "image_path"),
    "hash": ("sha256", "hash", "md5", "image_phash"),
}
KNOWN = (*CAPTION_COLUMNS, *(name for names in _IDS.values() for name in names))
# What tells one published layout from another, the most telling first.
_LAYOUTS = (
    ("img2dataset", {"caption", "key", "status"}),
    ("img2dataset", {"txt", "key", "status"}),
    ("DataComp", {"uid", "url", "text"}),
    ("LAION-2B", {"url", "text", "punsafe"}),
    ("LAION-400M", {"url", "text", "nsfw", "similarity"}),
    ("LAION-400M embeddings", {"caption", "url", "nsfw"}),
    ("RedCaps", {"image_id", "caption", "raw_caption"}),
    ("clip-retrieval metadata", {"caption", "image_path"}),
    ("open_clip TSV", {"filepath", "title"}),
    ("SBU", {"image_urls", "captions"}),
    ("COYO", {"url", "text"}),
)


def detect(columns: Sequence[str], wanted: Columns, where: str) -> Layout:
    """The layout of a table with these columns; `wanted` takes precedence.

    Raises:
        InputError: there is no caption column, or not the requested one.
    """
    by_key = {column_key(column): column for column in reversed(columns)}
    for column in (*wanted.captions, *wanted.ids):
        if column not in columns:
            raise InputError(f"{where}: has no column {shown(column)}; it has {_listed(columns)}")
    captions = (
        wanted.captions or tuple(by_key[name] for name in CAPTION_COLUMNS if name in by_key)[:1]
    )
    if not captions:
        raise InputError(
            f"{where}: has no caption column; pass --caption-column, one of {_listed(columns)}"
        )
    ids = _ids(columns, wanted.ids)
    status = by_key.get("status") if {"status", "key"} <= by_key.keys() else None
    name = next((name for name, signs in _LAYOUTS if signs <= by_key.keys()), "columns")
    return Layout(name, captions, ids, status, "face_bboxes" in by_key)


def headerless(cells: Sequence[str], wanted: Columns, where: str) -> Layout:
    """The layout of a table without a header, with first line `cells`: columns have numbers.

    CC3M has the caption first, CC12M the URL.
    """
    columns = [str(number) for number in range(len(cells))]
    if wanted.captions:
        layout = detect(columns, wanted, where)
        return Layout("table without a header", layout.captions, _ids(columns, wanted.ids))
    urls = addresses(cells)
    if len(cells) != 2 or len(urls) != 1:
        raise InputError(
            f"{where}: its first line neither names a caption column nor holds a caption and a "
            "URL; pass --caption-column, without a header by number from 0"
        )
    url = urls[0]
    name = "CC3M (caption, url)" if url == 1 else "CC12M (url, caption)"
    return Layout(name, (str(1 - url),), {"url": str(url)})


def addresses(cells: Sequence[str]) -> list[int]:
    """The indices of cells that are URLs."""
    return [number for number, cell in enumerate(cells) if cell.startswith(("http://", "https://"))]


def names_columns(cells: Sequence[str], wanted: Columns) -> bool:
    """Whether a table's first line is a header."""
    if wanted.captions:
        return all(column in cells for column in wanted.captions)
    return any(column_key(cell) in CAPTION_COLUMNS for cell in cells)


def _ids(columns: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in wanted or columns:
        kind = next((kind for kind, names in _IDS.items() if column_key(column) in names), None)
        if kind is None and wanted:
            kind = next(each for each in ("key", "url", "hash", "key") if each not in found)
        if kind is not None:
            found.setdefault(kind, column)
    return found


def _listed(columns: Sequence[str]) -> str:
    first = ", ".join(shown(column, 40) for column in columns[:20])
    return first + (", ..." if len(columns) > 20 else "") if columns else "none"

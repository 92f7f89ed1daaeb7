"""Every published caption layout, written by its own tools, gives the same counts."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

import caption_files as files  # noqa: E402

from idia_index.captions.records import Columns  # noqa: E402
from idia_index.errors import InputError  # noqa: E402
from idia_index.pipelines.caption_search import Options  # noqa: E402
from idia_index.pipelines.members import Members, find_members  # noqa: E402
from idia_index.prompts.names import make_names  # noqa: E402

HAS_WEBDATASET = importlib.util.find_spec("webdataset") is not None
HAS_IMG2DATASET = HAS_WEBDATASET and importlib.util.find_spec("img2dataset") is not None


def search(place: str | Path, out: Path, **options: Any) -> Members:
    names = make_names(files.NAMES)
    given = Options(workers=1, **options)
    return find_members([str(place)], names, out, given, lambda *_: None)


def counts(found: Members) -> dict[str, int]:
    return {row.name: row.training_count for row in found.lines}


def written(folder: Path, write: Callable[[Path], None]) -> Path:
    folder.mkdir()
    write(folder)
    return folder


def heavy(test: Any) -> Any:
    """A test that imports webdataset, which imports PyTorch, which starts a process."""
    return pytest.mark.torch(pytest.mark.process(test))


LAYOUTS = [
    pytest.param(name, marks=[pytest.mark.torch, pytest.mark.process])
    if name == "webdataset"
    else name
    for name in files.LAYOUTS
]


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_detected_and_counted(layout: str, tmp_path: Path) -> None:
    if layout == "webdataset" and not HAS_WEBDATASET:
        pytest.skip("webdataset is not installed")
    found = search(written(tmp_path / "in", files.LAYOUTS[layout]), tmp_path / "out")
    assert {source.layout for source in found.data.sources} == {layout}
    assert counts(found) == files.COUNTS
    assert found.data.records == len(files.CAPTIONS)
    jane = dict(zip(found.data.variants, found.lines[0].variants, strict=True))
    assert jane == {"exact": 1, "possessive": 1, "case": 1, "separators": 0, "file_name": 1,
                    "accents": 0, "last_first": 1}  # fmt: skip
    assert found.data.faces_blurred == (layout == "DataComp")


@pytest.mark.parametrize("write", [files.csv_packed, files.json_lines_zstd])
def test_packed_files_are_read(write: Callable[[Path], None], tmp_path: Path) -> None:
    assert counts(search(written(tmp_path / "in", write), tmp_path / "out")) == files.COUNTS


def table(delimiter: str, head: str = "url,caption", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    rows = zip(files.urls(len(files.CAPTIONS)), files.CAPTIONS, strict=True)
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows([head.split(","), *rows])  # type: ignore[arg-type]
    return out.getvalue()


LINES = "\n".join(files.CAPTIONS)
WRITTEN: dict[str, tuple[str, bytes, str]] = {
    "semicolons": ("a.csv", b"\xef\xbb\xbf" + table(";").encode(), "columns, semicolons"),
    "sep=": ("a.csv", b"sep=;\r\n" + table(";").encode(), "semicolons between columns"),
    "sep=,": ("a.csv", b"sep=,\r\n" + table(",").encode(), "columns"),
    "Unicode text": ("a.tsv", table("\t").encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": ("a.csv", table(";").encode("utf-16-be"), "UTF-16"),
    "Windows-1252": ("a.csv", table(";").encode("cp1252"), "semicolons between columns, Windows"),
    "all quoted": ("a.csv", table("|", quoting=csv.QUOTE_ALL).encode(), "bars between columns"),
    "other names": ("a.csv", table(",", "Image URL,Alt Text").encode(), "columns"),
    "a blank line first": ("a.tsv", b"\n" + table("\t").encode(), "columns"),
    "semicolons without a header": (
        "a.csv", table(";").partition("\n")[2].encode(), "CC12M (url, caption), semicolons"
    ),
    "lines": ("a.txt", LINES.encode(), "text"),
    "lines in UTF-16": ("a.txt", LINES.encode("utf-16"), "text"),
    "lines in Windows-1252": ("a.txt", LINES.encode("cp1252"), "text"),
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_tables_and_texts_are_read_however_they_are_written(written: str, tmp_path: Path) -> None:
    name, data, layout = WRITTEN[written]
    (tmp_path / name).write_bytes(data)
    found = search(tmp_path / name, tmp_path / "out")
    assert counts(found) == files.COUNTS
    assert (found.data.records, found.data.malformed) == (len(files.CAPTIONS), 0)
    assert layout in found.data.sources[0].layout


def test_a_caption_with_commas_is_no_header(tmp_path: Path) -> None:
    """The separator that the suffix says is asked first."""
    first = "text, key, title: what a caption may hold"
    lines = "".join(f"{text}\thttps://e.org/{k}\n" for k, text in enumerate([first, "Jane Doe"]))
    (tmp_path / "a.tsv").write_text(lines)
    found = search(tmp_path / "a.tsv", tmp_path / "out")
    assert found.data.sources[0].layout == "CC3M (caption, url)"
    assert counts(found)["Jane Doe"] == 1 and found.data.records == 2


def test_a_misspelt_column_is_told_from_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("caption\turl\nJane Doe\thttps://e.org/1\n")
    with pytest.raises(InputError, match=r"no column 'captoin'; it has 'caption', 'url'$"):
        search(tmp_path / "a.tsv", tmp_path / "out", columns=Columns(("captoin",)))


@heavy
@pytest.mark.skipif(not HAS_WEBDATASET, reason="webdataset is not installed")
def test_several_captions_of_a_sample_count_once(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", files.webdataset_json)
    assert counts(search(folder, tmp_path / "out")) == files.COUNTS


@heavy
@pytest.mark.skipif(not HAS_IMG2DATASET, reason="img2dataset is not installed")
@pytest.mark.parametrize(
    "sort", ["WebDatasetSampleWriter", "FilesSampleWriter", "ParquetSampleWriter"]
)
def test_img2datasets_failed_downloads_do_not_count(sort: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "in", lambda place: files.img2dataset(place, sort))
    found = search(folder, tmp_path / "out")
    assert counts(found) == files.COUNTS
    assert (found.data.records, found.data.left_out) == (len(files.CAPTIONS), 1)
    assert {source.layout for source in found.data.sources} == {"img2dataset"}
    if sort == "WebDatasetSampleWriter":  # without its table, the tar alone gives the same
        tar = search(folder / "00000.tar", tmp_path / "tar")
        assert counts(tar) == files.COUNTS
        assert found.data.notes


@heavy
@pytest.mark.skipif(not HAS_WEBDATASET, reason="webdataset is not installed")
def test_open_clips_loader_reads_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    data = pytest.importorskip("open_clip_train.data")
    folder = written(tmp_path / "in", files.open_clip_tsv)
    for k in range(len(files.CAPTIONS)):
        (folder / f"{k}.png").write_bytes(files.image())
    table = data.CsvDataset(str(folder / "train.tsv"), None, "filepath", "title", sep="\t")
    assert tuple(table.captions) == files.CAPTIONS


def test_columns_are_settable_and_several_count_once(tmp_path: Path) -> None:
    files.write_parquet(tmp_path / "a.parquet", {
        "alt": ["Jane Doe", None, "a dog"], "page": ["Jane Doe", "about Jane Doe", None],
        "number": ["1", "2", "3"],
    })  # fmt: skip
    columns = Columns(("alt", "page"), ("number",))
    found = search(tmp_path / "a.parquet", tmp_path / "out", columns=columns)
    assert counts(found)["Jane Doe"] == 2
    assert found.data.sources[0].ids == {"key": "number"}


def test_lists_of_captions_count_once(tmp_path: Path) -> None:
    texts = [["Jane Doe", "Jane Doe"], [], None, ["x", "jane doe"]]
    files.write_parquet(tmp_path / "a.parquet", {"caption": texts})
    assert counts(search(tmp_path / "a.parquet", tmp_path / "out"))["Jane Doe"] == 2


def test_repeats_are_reported_and_dropped_on_demand(tmp_path: Path) -> None:
    for name in ("a", "b"):
        files.write_parquet(tmp_path / f"{name}.parquet", {
            "url": ["u1", "u2", "u1"], "text": ["Jane Doe", "JANE DOE", "about Jane Doe"]
        })  # fmt: skip
    glob = str(tmp_path / "*.parquet")
    found = search(glob, tmp_path / "out")
    assert counts(found)["Jane Doe"] == 6
    assert found.lines[0].duplicate_share == pytest.approx(4 / 6)
    once = search(glob, tmp_path / "once", unique_by="url")
    assert counts(once)["Jane Doe"] == 2
    assert once.data.repeated_hits == {"url": 4}


def test_a_url_is_read_through_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    folder = written(tmp_path / "in", files.coyo)
    with fsspec.open("memory://captions/c.parquet", "wb") as file:
        file.write((folder / "c.parquet").read_bytes())
    for place in ("memory://captions/c.parquet", "memory://captions/*.parquet"):
        assert counts(search(place, tmp_path / "out")) == files.COUNTS
    assert counts(search(f"file://{folder}/c.parquet", tmp_path / "o2")) == files.COUNTS


def test_a_large_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    table = pa.table({"url": files.urls(800), "text": list(files.CAPTIONS) * 100})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=70)
    whole = search(tmp_path / "a.parquet", tmp_path / "whole", hits=True)
    monkeypatch.setattr("idia_index.captions.parquet.PART_BYTES", 2000)
    parts = search(tmp_path / "a.parquet", tmp_path / "parts", hits=True)
    assert len(parts.data.sources) > 3
    assert counts(parts) == counts(whole) == {k: 100 * n for k, n in files.COUNTS.items()}
    hits = [parquet.read_table(tmp_path / each / "hits.parquet") for each in ("whole", "parts")]
    assert hits[0].equals(hits[1])
    first = hits[0].to_pylist()[0]
    assert first["caption"] == files.CAPTIONS[first["row"] % 8]


@pytest.mark.parametrize(
    ("captions", "said"),
    [
        (["person in a hat", "actor attends an event", "a dog", "the sea at night"] * 30, "CC3M"),
        (["<PERSON> in a hat", "A dog", "The Sea"] * 30, "CC12M"),
    ],
)
def test_captions_that_cannot_hold_names_say_nothing_of_non_members(
    captions: list[str], said: str, tmp_path: Path
) -> None:
    lines = "".join(f"{text}\thttps://e.org/{k}\n" for k, text in enumerate(captions))
    (tmp_path / "a.tsv").write_text(lines)
    found = search(tmp_path / "a.tsv", tmp_path / "out")
    assert said in found.data.cannot_hold_names[0]
    assert {row.membership for row in found.lines} == {""}
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index(said) < page.index("How often")

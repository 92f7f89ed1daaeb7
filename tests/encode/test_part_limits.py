"""Small files that would keep a reader busy are refused early; ordinary ones are not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_files import chunk, encoded, endless_jpeg, photo, with_chunk
from PIL import Image

from idia_index.encode.images import load_image
from idia_index.errors import RefusedError

PARTS = 3_000


def segments(data: bytes, count: int) -> bytes:
    """A JPEG with blocks of EXIF before its picture."""
    whole = encoded(photo(), "JPEG")
    block = struct.pack(">BBH", 0xFF, 0xE1, len(data) + 2) + data
    return whole[:2] + block * count + whole[2:]


def gif(extension: bytes) -> bytes:
    whole = encoded(photo(0, "P"), "GIF")
    cut = whole.rindex(b"\x2c\0\0\0\0")
    return whole[:cut] + extension + whole[cut:]


def tiff(strips: int, order: str, big: bool) -> bytes:
    """The directory of a TIFF; its strips are nowhere."""
    number, entry = ("Q", "HHQQ") if big else ("H", "HHLL")
    tags = ((256, 4, 1, 1), (257, 4, 1, strips), (273, 4, strips, 8))
    first = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HL", 42, 8)
    mark = b"II" if order == "<" else b"MM"
    directory = b"".join(struct.pack(order + entry, *tag) for tag in tags)
    return mark + first + struct.pack(order + number, len(tags)) + directory + bytes(64)


def runs(count: int) -> bytes:
    """A BMP whose every pixel is a run."""
    header = struct.pack("<IiiHHIIiiII", 40, count, 1, 1, 8, 1, 2 * count, 0, 0, 256, 0)
    start = 14 + 40 + 1024
    size = struct.pack("<2sIHHI", b"BM", start + 2 * count, 0, 0, start)
    return size + header + bytes(1024) + b"\1\7" * count


SLOW: dict[str, tuple[Callable[[], bytes], str]] = {
    "blocks of EXIF": (lambda: segments(b"Exif\0\0", 101), "more than 100 blocks of EXIF"),
    "strips": (lambda: tiff(100_001, "<", False), "a TIFF of 100,001 strips"),
    "strips, the other order": (lambda: tiff(100_001, ">", False), "a TIFF of 100,001 strips"),
    "strips of a BigTIFF": (lambda: tiff(1 << 40, "<", True), "strips"),
    "comments": (lambda: b"P2 2 2 255 " + b"#\n" * 1_001 + b"1 2 3 4", "1,001 comments"),
    "a comment in bytes": (lambda: gif(b"\x21\xfe" + b"\1a" * PARTS + b"\0"), "parts"),
    "empty blocks": (lambda: gif(b"\x21\xfe\1a\0" * PARTS), "parts"),
    "empty chunks": (
        lambda: with_chunk(encoded(photo(), "PNG"), chunk(b"prVt", b"") * PARTS),
        "parts",
    ),
    "runs of a pixel": (lambda: runs(PARTS), "parts"),
    "segments": (lambda: segments(b"", PARTS), "parts"),
}  # fmt: skip


@pytest.mark.parametrize("what", SLOW)
def test_files_of_many_parts_are_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.encode.part_limits.MAX_READS", PARTS)
    made, told = SLOW[what]
    (tmp_path / "slow").write_bytes(made())
    with pytest.raises(RefusedError, match=told) as caught:
        load_image(tmp_path / "slow")
    assert "save it again as PNG or JPEG" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_ordinary_files_take_few_reads(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.encode.part_limits.MAX_READS", 300)
    image = photo().resize((900, 700))
    exif = Image.Exif()
    exif[0x0112] = 1
    image.save(tmp_path / "a", kind, **({"exif": exif} if kind == "JPEG" else {}))
    assert load_image(tmp_path / "a").size == (900, 700)
    (tmp_path / "text").write_bytes(b"P3\n# one\n2 1\n# two\n255\n1 2 3 4 5 6\n")
    assert load_image(tmp_path / "text").size == (2, 1)


def test_a_film_behind_a_picture_is_none_of_its_scans(tmp_path: Path) -> None:
    film = np.random.default_rng(0).bytes(1 << 20).replace(b"\xff", b"\xff\xda")
    for progressive in (False, True):
        whole = encoded(photo(), "JPEG", progressive=progressive)
        (tmp_path / "a.jpg").write_bytes(whole + b"\0\0\0\x18ftypmp42" + film)
        assert load_image(tmp_path / "a.jpg").size == photo().size
    # Bytes between the scans are passed over, by the decoder as well.
    whole = endless_jpeg(1_000)
    scan = whole[: whole.rindex(b"\xff\xda")]
    (tmp_path / "b.jpg").write_bytes(scan + b"junk\xff\xff\xd0" + whole[len(scan) :])
    with pytest.raises(RefusedError, match="a JPEG of more than 100 scans"):
        load_image(tmp_path / "b.jpg")

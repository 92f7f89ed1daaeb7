"""How long the slowest photo of each format keeps a reader, within the bounds on bytes and pixels.

    python benchmarks/fuzz/slow_photos.py [--only NAME] [--limit 60]

Each file is made to be slow for its size: as many parts, pixels, tiles or passes as it may have. It
is read in a process of its own, which is ended after the limit. Seconds are of processor time, of
all threads. A refusal counts as an answer.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import multiprocessing.queues
import os
import re
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from idia_index.encode import jxl_process
from idia_index.encode.images import load_image
from idia_index.errors import InputError

MB = 1 << 20
SIDE = 9_990  # 99.8 million pixels


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def saved(
    form: str, side: int = SIDE, mode: str = "RGB", grain: bool = True, **options: object
) -> bytes:
    pixels = np.full((side, side, 3), 90, np.uint8)
    if grain:
        some = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        pixels = np.tile(some, (side // 256 + 1, side // 256 + 1, 1))[:side, :side]
    out = io.BytesIO()
    if form in ("HEIF", "JXL"):
        from idia_index.encode import formats

        formats.import_module("pillow_heif").register_heif_opener()
        formats.import_module("pillow_jxl")
    Image.fromarray(pixels).convert(mode).save(out, form, **options)
    return out.getvalue()


def png_parts(kind: bytes, size: int) -> bytes:
    small = saved("PNG", 8)
    cut = small.index(b"IDAT") - 4
    return small[:cut] + chunk(kind) * (size // 12) + small[cut:]


def gif_comments(size: int) -> bytes:
    small = saved("GIF", 8, "P")
    cut = small.rindex(b"\x2c\0\0\0\0")
    return small[:cut] + b"\x21\xfe" + b"\1a" * (size // 2) + b"\0" + small[cut:]


def gif_blocks(size: int) -> bytes:
    small = saved("GIF", 8, "P")
    cut = small.rindex(b"\x2c\0\0\0\0")
    return small[:cut] + b"\x21\xfe\1a\0" * (size // 5) + small[cut:]


def jpeg_segments(segment: bytes, size: int) -> bytes:
    small = saved("JPEG", 8)
    return small[:2] + segment * (size // len(segment)) + small[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def bmp_runs(size: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, size, 0, 0, 256, 0)
    start = 14 + 40 + 1024
    return (
        struct.pack("<2sIHHI", b"BM", start + size, 0, 0, start)
        + header
        + bytes(1024)
        + (b"\1\7" * (size // 2))
    )


def tiff_strips(size: int) -> bytes:
    count = size // 8
    tags = [(256, 4, 1, 20), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, count, 512), (278, 4, 1, 1), (279, 4, count, 512 + 4 * count)]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", *t) for t in tags)
    head = (b"II*\0" + struct.pack("<L", 8) + directory + bytes(4)).ljust(512, b"\0")
    return head + struct.pack("<L", 0) * count + struct.pack("<L", 20) * count


def with_scans(count: int) -> bytes:
    whole = saved("JPEG", SIDE, "L", grain=False, progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * (count - whole.count(b"\xff\xda")) + whole[-2:]


def with_dc_scans(count: int) -> bytes:
    """In colour, each further scan of which passes over all three planes."""
    whole = saved("JPEG", SIDE, grain=False, progressive=True, subsampling=0)
    starts = [place.start() for place in re.finditer(b"\xff\xda", whole)]
    first = whole[starts[0] : whole.index(b"\xff\xc4", starts[0])]
    refining = first.replace(b"\0\0\x01", b"\0\0\x10", 1)
    return whole[: starts[1]] + refining * (count - len(starts)) + whole[starts[1] :]


def box(kind: bytes, *content: bytes) -> bytes:
    inner = b"".join(content)
    return struct.pack(">I", 8 + len(inner)) + kind + inner


def full_box(kind: bytes, version: int, *content: bytes) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *content)


def one_tile(side: int, times: int) -> bytes:
    """An AVIF that is a grid of tiles, all of which are the same bytes."""
    tile = saved("AVIF", side, quality=90, speed=10)
    data = tile[tile.index(b"mdat") + 4 :]
    at = tile.index(b"av1C") - 4
    coded = tile[at : at + int.from_bytes(tile[at : at + 4], "big")]
    sizes = [full_box(b"ispe", 0, struct.pack(">II", s, s)) for s in (side, side * times)]
    depth = full_box(b"pixi", 0, b"\3\x08\x08\x08")
    whole, tiles = times**2 + 1, range(1, times**2 + 1)
    kinds = [full_box(b"infe", 2, struct.pack(">HH", n, 0), b"grid" if n == whole else b"av01",
                      b"\0") for n in (*tiles, whole)]  # fmt: skip
    parts = struct.pack(f">HH{len(tiles)}H", whole, len(tiles), *tiles)
    grid = struct.pack(">BBBBHH", 0, 0, times - 1, times - 1, side * times, side * times)
    use = struct.pack(">I", whole) + b"".join(
        struct.pack(">HB", n, 3) + b"\x81\2\4" for n in tiles
    ) + struct.pack(">HB", whole, 2) + b"\3\4"  # fmt: skip

    def file(offset: int) -> bytes:
        places = b"".join(struct.pack(">HHHHII", n, 0, 0, 1, offset, len(data)) for n in tiles)
        places += struct.pack(">HHHHII", whole, 1, 0, 1, 0, len(grid))
        meta = full_box(
            b"meta", 0,
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", whole)),
            full_box(b"iloc", 1, b"\x44\0", struct.pack(">H", whole), places),
            full_box(b"iinf", 0, struct.pack(">H", whole), *kinds),
            full_box(b"iref", 0, box(b"dimg", parts)),
            box(b"iprp", box(b"ipco", coded, *sizes, depth), full_box(b"ipma", 0, use)),
            box(b"idat", grid),
        )  # fmt: skip
        head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf") + meta
        return head + box(b"mdat", data) if offset else bytes(len(head) + 8)

    return file(len(file(0)))


def states_less(side: int) -> bytes:
    """An AVIF whose stream codes a larger picture than its container says."""
    whole = saved("AVIF", side, grain=False, quality=60, speed=10)
    return whole.replace(struct.pack(">II", side, side), struct.pack(">II", 64, 64))


CASES: dict[str, Callable[[], bytes]] = {
    "JPEG, grain": lambda: saved("JPEG", quality=98),
    "JPEG, progressive, grain": lambda: saved("JPEG", quality=98, progressive=True),
    "JPEG, 90 scans": lambda: with_scans(90),
    "JPEG, colour, 90 scans": lambda: with_dc_scans(90),
    "JPEG, 20 MB of empty segments": lambda: jpeg_segments(segment(0xEB, b""), 20 * MB),
    "JPEG, 5 MB of small EXIF": lambda: jpeg_segments(segment(0xE1, b"Exif\0\0"), 5 * MB),
    "JPEG, 200 MB of EXIF": lambda: jpeg_segments(
        segment(0xE1, b"Exif\0\0" + bytes(65_000)), 200 * MB
    ),
    "PNG, RGBA, grain": lambda: saved("PNG", mode="RGBA", compress_level=1),
    "PNG, flat": lambda: saved("PNG", mode="RGBA", grain=False),
    "PNG, 20 MB of empty chunks": lambda: png_parts(b"prVt", 20 * MB),
    "PNG, 20 MB of empty IDAT": lambda: png_parts(b"IDAT", 20 * MB),
    "GIF, grain": lambda: saved("GIF", mode="P"),
    "GIF, a comment of 20 MB in bytes": lambda: gif_comments(20 * MB),
    "GIF, 20 MB of comments": lambda: gif_blocks(20 * MB),
    "BMP, 20 MB of runs": lambda: bmp_runs(20 * MB),
    "TIFF, LZW, grain": lambda: saved("TIFF", compression="tiff_lzw"),
    "TIFF, 40 MB of strips": lambda: tiff_strips(40 * MB),
    "PPM, 20 MB of text": lambda: b"P3 9990 9990 255\n" + b"7 " * (10 * MB),
    "PPM, 60 MB of text": lambda: b"P3 9990 9990 255\n" + b"7 " * (30 * MB),
    "PPM, 2 MB of comments": lambda: b"P3 9990 9990 255\n" + b"#\n" * MB,
    "WebP, grain": lambda: saved("WEBP", quality=60, method=0),
    "WebP, lossless, grain": lambda: saved("WEBP", lossless=True, quality=0, method=0),
    "HEIC, 9 MP, grain": lambda: saved("HEIF", 3_000, quality=90),
    "AVIF, 9 MP, grain": lambda: saved("AVIF", 3_000, quality=90, speed=10),
    "AVIF, 361 tiles of the same bytes": lambda: one_tile(512, 19),
    "AVIF, 100 MP where 64 x 64 are stated": lambda: states_less(SIDE),
    "JPEG XL, 9 MP, grain": lambda: saved("JXL", 3_000, quality=90, effort=1),
    "JPEG XL, lossless, grain": lambda: saved("JXL", lossless=True, effort=1),
}


def read(path: str, limit: int, told: multiprocessing.queues.Queue[str]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    try:
        image = load_image(path)
        said = f"{image.width} x {image.height}"
    except InputError as error:
        said = str(error).partition(": ")[2]
    for waiting in jxl_process._idle.get(os.getpid(), []):
        waiting.end()  # what it used is told then
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in used)
    told.put(f"{seconds:.1f} s | {said[:100]}")


def main() -> None:
    """Prints a line of the table for each case."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default="")
    options.add_argument("--limit", type=int, default=60)
    chosen = options.parse_args()
    for name, make in CASES.items():
        if not name.startswith(chosen.only):
            continue
        with TemporaryDirectory() as folder:
            path = Path(folder, "photo")
            path.write_bytes(make())
            told: multiprocessing.queues.Queue[str] = multiprocessing.Queue()
            reader = multiprocessing.Process(target=read, args=(str(path), chosen.limit, told))
            reader.start()
            reader.join()
            late = reader.exitcode != 0
            said = f"more than {chosen.limit} s | ended" if late else told.get()
            print(f"| {name} | {path.stat().st_size / 1e6:,.1f} MB | {said} |", flush=True)


if __name__ == "__main__":
    main()

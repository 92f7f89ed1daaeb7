"""One process decodes one JPEG XL after another, and is replaced if it dies."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from idia_index.encode.images import load_image
from idia_index.errors import InputError

pytest.importorskip("pillow_jxl")
if not Path("/proc/self/stat").is_file():
    pytest.skip("processes are looked up in /proc", allow_module_level=True)

pytestmark = pytest.mark.process


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        out = BytesIO()
        picture(seed).save(out, "JXL", lossless=True)
        (folder / f"{seed}.jxl").write_bytes(out.getvalue())
    return sorted(folder.iterdir())


@pytest.fixture(autouse=True)
def others() -> Iterator[set[int]]:
    """Readers that earlier tests left are ended, so that those of this one are known."""
    for pid in readers():
        os.kill(pid, signal.SIGKILL)
    yield set()


def readers() -> set[int]:
    """Processes of this one that decode JPEG XL and are alive."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            is_reader = b"jxl_process" in (folder / "cmdline").read_bytes()
            if is_reader and state != "Z" and int(parent) == os.getpid():
                found.add(int(folder.name))
    return found


def is_right(path: Path) -> bool:
    found = np.asarray(load_image(path).convert("RGB"))
    return bool((found == np.asarray(picture(int(path.stem)))).all())


@pytest.mark.slow
def test_one_process_reads_them_all(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "cut.jxl").write_bytes(photos[0].read_bytes()[:60])
    assert is_right(photos[0])
    first = readers()
    assert len(first) == 1
    with pytest.raises(InputError, match=r"cut\.jxl: cannot be decoded \("):
        load_image(tmp_path / "cut.jxl")
    assert all(map(is_right, photos)) and readers() == first
    # What each may use is counted from what was used before it.
    assert resource.prlimit(*first, resource.RLIMIT_CPU)[0] in range(60, 70)


def test_threads_have_a_process_each_and_get_their_own_pixels(photos: list[Path]) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(is_right, 5 * photos))
    assert 1 <= len(readers()) <= 2


@pytest.mark.slow
def test_a_process_killed_between_photos_costs_none(photos: list[Path]) -> None:
    assert is_right(photos[0])
    (first,) = readers()
    os.kill(first, signal.SIGKILL)
    assert is_right(photos[1])
    assert first not in readers() and len(readers()) == 1


def halted(photos: list[Path], number: signal.Signals) -> tuple[int, bool]:
    """Ends the reader, which was stopped, while it is asked for a photo; the reader, the answer."""
    assert is_right(photos[0])
    (first,) = readers()
    os.kill(first, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(is_right, photos[2])
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.2)
        os.kill(first, number)
        os.kill(first, signal.SIGCONT)
        return first, asked.result(timeout=30)


@pytest.mark.slow
def test_a_process_killed_at_a_photo_costs_none(photos: list[Path]) -> None:
    first, right = halted(photos, signal.SIGKILL)
    assert right and first not in readers()


@pytest.mark.slow
def test_a_photo_that_takes_too_long_is_refused_and_the_next_is_read(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = r"2\.jxl: a JPEG XL that takes more than 60 s"
    with pytest.raises(InputError, match=late):  # of processor time, as the system says
        halted(photos, signal.SIGXCPU)
    assert is_right(photos[3])
    (reader,) = readers()
    os.kill(reader, signal.SIGSTOP)
    with monkeypatch.context() as changed, pytest.raises(InputError, match=late):  # by the clock
        changed.setattr("idia_index.encode.jxl_process.PATIENCE", 1e-3)
        load_image(photos[2])
    assert is_right(photos[3]) and reader not in readers()


FORKED = """
import os, sys
from idia_index.encode.images import load_image
first, second = sys.argv[1:]
load_image(first)
child = os.fork()
seen = [load_image(second if child else first).getpixel((0, 0)) for _ in range(20)]
wanted = len(set(seen)) == 1
if not child:
    os._exit(0 if wanted else 1)
print(os.waitpid(child, 0)[1], wanted, seen[0] != load_image(first).getpixel((0, 0)))
"""


def test_a_forked_process_reads_by_one_of_its_own(photos: list[Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", FORKED, *map(str, photos[:2])],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "0 True True\n" and "Traceback" not in done.stderr

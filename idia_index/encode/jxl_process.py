"""JPEG XL decoded in a process of its own, which is ended where it takes too long.

A file may hold frames, layers, or a JPEG's scans without end. Its reader decodes them all as it
opens the file, and nothing that stands before them says how many there are.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module

from PIL import Image, UnidentifiedImageError

from idia_index.errors import RefusedError

SECONDS = 60  # of processor time; 100 million pixels of grain take ten
PATIENCE = 10  # seconds of the clock for each of them, on a busy machine
_ANSWER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from idia_index.encode.jxl_process import answer; answer(int(sys.argv[2]))"
)


def decoded(data: bytes, name: str) -> tuple[Image.Image, bool]:
    """The picture of a JPEG XL file, and whether it was a JPEG that was packed again.

    Raises:
        RefusedError: it takes too long.
        ValueError: it cannot be decoded, with the reader's reason.
    """
    command = [sys.executable, "-I", "-c", _ANSWER, json.dumps(sys.path), str(SECONDS)]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=PATIENCE * SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refused(name) from None
    if done.returncode == -getattr(signal, "SIGXCPU", 0) or done.returncode == -9:
        raise _refused(name)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"its reader ended with {done.returncode}")
    head, _, pixels = done.stdout.partition(b"\n")
    told = json.loads(head)
    image = Image.frombytes(told["mode"], told["size"], pixels)
    if told["exif"]:
        image.info["exif"] = bytes.fromhex(told["exif"])
    return image, bool(told["jpeg"])


def answer(seconds: int) -> None:
    """Decodes the file on standard input onto standard output; what the process does."""
    with suppress(ImportError):  # there is none on Windows
        resource = import_module("resource")
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    try:
        image = decoded_here(sys.stdin.buffer.read())
    except UnidentifiedImageError:
        sys.exit("broken header")
    except Exception as error:  # noqa: BLE001 (whatever the reader ran into)
        sys.exit(" ".join(str(error).split())[:200] or type(error).__name__)
    exif = bytes(image.info.get("exif", b"")).hex()
    told = {"mode": image.mode, "size": image.size, "exif": exif, "jpeg": bool(image.jpeg)}  # type: ignore[attr-defined]
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    sys.stdout.buffer.write(image.tobytes())


def decoded_here(data: bytes) -> Image.Image:
    """The picture of a JPEG XL file, decoded in this process however long it takes."""
    import_module("pillow_jxl")
    image = Image.open(io.BytesIO(data), formats=("JXL",))
    image.load()
    return image


def _refused(name: str) -> RefusedError:
    return RefusedError(
        f"{name}: a JPEG XL that takes more than {SECONDS} s to decode; save it anew as PNG or JPEG"
    )

"""JPEG XL decoded in a process of its own, which is ended where a file takes too long.

A file may hold frames, layers, or a JPEG's scans without end. Its reader decodes them all as it
opens the file, and nothing that stands before them says how many there are. A process takes one
file after another, since starting one costs more than most photos do; there are as many as threads
that decode at a time. They end with this process, as what they read from is closed then.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from threading import Timer
from typing import Any, TypeAlias

from PIL import Image, UnidentifiedImageError

from idia_index.errors import RefusedError

SECONDS = 60  # of processor time; 100 million pixels of grain take ten
PATIENCE = 10  # seconds of the clock for each of them, on a busy machine
_ANSWER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from idia_index.encode.jxl_process import answer; answer()"
)
_LENGTH = 8  # bytes that say how many follow

Answer: TypeAlias = tuple[dict[str, Any], bytes]


def decoded(data: bytes, name: str) -> tuple[Image.Image, bool]:
    """The picture of a JPEG XL file, and whether it was a JPEG that was packed again.

    Raises:
        RefusedError: it takes too long.
        ValueError: it cannot be decoded, with the reader's reason.
    """
    told, pixels = _answer_to(data, name)
    if "reason" in told:
        raise ValueError(told["reason"])
    image = Image.frombytes(told["mode"], told["size"], pixels)
    if told["exif"]:
        image.info["exif"] = bytes.fromhex(told["exif"])
    return image, bool(told["jpeg"])


def _answer_to(data: bytes, name: str) -> Answer:
    """What a reader answers; a new one where the first ended, which may be no fault of the file."""
    idle = _idle.setdefault(os.getpid(), [])
    for reader in (_taken(idle), None):
        reader = reader or _Reader()
        if (found := reader.ask(data)) is not None:
            idle.append(reader)
            return found
        ended = reader.end()
        if reader.is_late or ended == -getattr(signal, "SIGXCPU", 0):
            raise RefusedError(
                f"{name}: a JPEG XL that takes more than {SECONDS} s to decode; save it again as "
                "PNG or JPEG"
            )
        if ended == -signal.SIGINT:  # somebody waits for the command to end
            break
    raise ValueError(f"its reader ended with {ended}")


class _Reader:
    """A process that decodes one file after another.

    Attributes:
        is_late: whether it was ended for a file that took too long.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-c", _ANSWER, json.dumps(sys.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.is_late = False

    def ask(self, data: bytes) -> Answer | None:
        """What it tells of a file, with the pixels of a picture; None where it ended."""
        files, answers = self._process.stdin, self._process.stdout
        assert files is not None and answers is not None
        timer = Timer(PATIENCE * SECONDS, self._too_late)
        timer.daemon = True
        timer.start()
        try:
            files.write(len(data).to_bytes(_LENGTH, "big"))
            files.write(data)
            files.flush()
            told: dict[str, Any] = json.loads(answers.readline())
            pixels = answers.read(told["bytes"])
        except (OSError, ValueError):  # it reads no longer, or what it writes is cut short
            return None
        except BaseException:  # an interrupt: the next file would be given this one's pixels
            self._process.kill()
            raise
        finally:
            timer.cancel()
        return (told, pixels) if len(pixels) == told["bytes"] else None

    def _too_late(self) -> None:
        self.is_late = True
        self._process.kill()

    def end(self) -> int:
        """Waits for a process that answers no longer; returns what it ended with."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was written last is read by nobody
                    continue
        return self._process.wait()


# Readers that wait for a file, by the process that started them: another one, forked from it,
# would read their answers.
_idle: dict[int, list[_Reader]] = {}


def _taken(idle: list[_Reader]) -> _Reader | None:
    try:
        return idle.pop()
    except IndexError:
        return None


def answer() -> None:
    """Decodes the files on standard input onto standard output; what the process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends it without a word
    files, answers = sys.stdin.buffer, sys.stdout.buffer
    while length := files.read(_LENGTH):
        data = files.read(int.from_bytes(length, "big"))
        _allow(SECONDS)
        told, pixels = _told(data)
        answers.write(json.dumps({**told, "bytes": len(pixels)}).encode() + b"\n")
        answers.write(pixels)
        answers.flush()


def _allow(seconds: int) -> None:
    """Lets this process use so many seconds of processor time more."""
    try:
        resource = import_module("resource")
    except ImportError:  # there is none on Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(
        resource.RLIMIT_CPU, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
    )


def _told(data: bytes) -> Answer:
    """What there is to tell of a file: its picture and the pixels, or the reason for none."""
    try:
        import_module("pillow_jxl")
        image = Image.open(io.BytesIO(data), formats=("JXL",))
        image.load()
    except UnidentifiedImageError:
        return {"reason": "broken header"}, b""
    except BaseException as error:  # noqa: BLE001 (whatever the reader ran into, a panic of Rust's, too)
        return {"reason": " ".join(str(error).split())[:200] or type(error).__name__}, b""
    exif = bytes(image.info.get("exif", b"")).hex()
    told = {"mode": image.mode, "size": image.size, "exif": exif, "jpeg": bool(image.jpeg)}  # type: ignore[attr-defined]
    return told, image.tobytes()

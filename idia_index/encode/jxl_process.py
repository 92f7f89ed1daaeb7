"""Decodes JPEG XL in separate processes, which are killed if a file takes too long.

A file may hold any number of frames, layers or JPEG scans. The reader decodes them all when it
opens the file, and no header states their number. A process decodes one file after another,
because starting one takes longer than most photos; there are as many as decoding threads. They
exit with this process, which closes their input.
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
PATIENCE = 10  # wall-clock seconds per second of processor time, on a busy machine
_ANSWER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from idia_index.encode.jxl_process import answer; answer()"
)
_LENGTH = 8  # bytes of a length prefix

Answer: TypeAlias = tuple[dict[str, Any], bytes]


def decoded(data: bytes, name: str) -> tuple[Image.Image, bool]:
    """The picture of a JPEG XL file, and whether it is a recompressed JPEG.

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
    """A reader's answer; from a new one if the first exited, perhaps not because of the file."""
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
        if ended == -signal.SIGINT:  # the user interrupted the command
            break
    raise ValueError(f"its reader ended with {ended}")


class _Reader:
    """A process that decodes one file after another.

    Attributes:
        is_late: whether it was killed because a file took too long.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-c", _ANSWER, json.dumps(sys.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.is_late = False

    def ask(self, data: bytes) -> Answer | None:
        """Its answer for a file, with the pixels; None if it exited."""
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
        except (OSError, ValueError):  # it no longer reads, or its output is truncated
            return None
        except BaseException:  # an interrupt: the next file would get this one's pixels
            self._process.kill()
            raise
        finally:
            timer.cancel()
        return (told, pixels) if len(pixels) == told["bytes"] else None

    def _too_late(self) -> None:
        self.is_late = True
        self._process.kill()

    def end(self) -> int:
        """Waits for a process that no longer answers; returns its exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # nobody reads the last output
                    continue
        return self._process.wait()


# Idle readers by the process that started them: a forked process would read their answers.
_idle: dict[int, list[_Reader]] = {}


def _taken(idle: list[_Reader]) -> _Reader | None:
    try:
        return idle.pop()
    except IndexError:
        return None


def answer() -> None:
    """Decodes the files on standard input onto standard output: the process's main function."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # exits silently
    files, answers = sys.stdin.buffer, sys.stdout.buffer
    while length := files.read(_LENGTH):
        data = files.read(int.from_bytes(length, "big"))
        _allow(SECONDS)
        told, pixels = _told(data)
        answers.write(json.dumps({**told, "bytes": len(pixels)}).encode() + b"\n")
        answers.write(pixels)
        answers.flush()


def _allow(seconds: int) -> None:
    """Allows this process `SECONDS` more of processor time."""
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
    """The answer for a file: its picture and pixels, or the reason for none."""
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

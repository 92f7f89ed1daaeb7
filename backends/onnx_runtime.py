"""Picks the ONNX Runtime provider that works here, opens and runs sessions."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.errors import (
    IdiaIndexError,
    InputError,
    MissingExtraError,
    ModelError,
    install_command,
)
from idia_index.support.threads import processors

try:
    import onnxruntime as ort
except ModuleNotFoundError as error:
    raise MissingExtraError("the onnx backend", "onnxruntime", "cpu") from error

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_FATAL_ONLY = 4  # errors are raised, and their first line is shown


@dataclass(frozen=True)
class OnnxDevice:
    """Where sessions run.

    Attributes:
        provider: ONNX Runtime's name for it.
        options: the provider's options.
        threads: threads on the CPU.
    """

    provider: str
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 1

    @property
    def workers(self) -> int:
        """Number of concurrent runs; one on a GPU."""
        return self.threads if self.provider == CPU else 1

    def __str__(self) -> str:
        """The device for display: "cpu, CPUExecutionProvider (2 threads)"."""
        if self.provider == CPU:
            return f"cpu, {CPU} ({self.threads} thread{'s' if self.threads > 1 else ''})"
        return f"cuda:{dict(self.options)['device_id']}, {self.provider}"


def pick_device(name: str | None, threads: int | None = None) -> OnnxDevice:
    """The requested device, or the best that works; tested with a matrix product.

    Args:
        name: "cpu", "cuda" or "cuda:1"; None: CUDA if it works, else the CPU.
        threads: threads on the CPU; None: `IDIA_INDEX_THREADS`, else one per usable core.

    Raises:
        InputError: no such device or number of threads, or the device does not work.
    """
    cpu = OnnxDevice(CPU, threads=thread_count(threads))
    if name is None:
        cuda = cuda_device(0, cpu.threads)
        return cuda if CUDA in ort.get_available_providers() and not why_not(cuda) else cpu
    device = cpu if name == "cpu" else cuda_device(_ordinal(name), cpu.threads)
    if problem := why_not(device):
        raise InputError(f"device {name!r} does not work: {problem}; try device cpu")
    return device


def _ordinal(name: str) -> int:
    kind, colon, number = name.partition(":")
    if kind != "cuda" or (colon and not (number.isascii() and number.isdigit())):
        raise InputError(f"device {name!r} is unknown; available: cpu, cuda (or cuda:1, ...)")
    return int(number or 0)


def cuda_device(ordinal: int, threads: int) -> OnnxDevice:
    # TF32 would lose half the digits of float32.
    return OnnxDevice(CUDA, (("device_id", str(ordinal)), ("use_tf32", "0")), threads)


def why_not(device: OnnxDevice) -> str | None:
    """Multiplies two small matrices on a device; None if it works, else what went wrong."""
    if device.provider not in ort.get_available_providers():
        return (
            f"this onnxruntime has no {device.provider} "
            f"(pip uninstall onnxruntime, then {install_command('gpu')})"
        )
    try:
        session = _session(_product_model(), device)
        # ONNX Runtime continues without a provider that fails to load.
        if session.get_providers()[0] != device.provider:
            return f"{device.provider} does not load; check the driver and CUDA's libraries"
        ones = np.ones((8, 8), np.float32)
        right = bool((session.run(None, {"a": ones, "b": ones})[0] == 8).all())
    # A broken driver may raise anything; all that counts is that nothing was computed.
    except Exception as error:  # noqa: BLE001
        return first_line(error)
    return None if right else "it computes wrong products"


def open_session(path: Path, device: OnnxDevice, *, prepack: bool = True) -> Any:
    """An `onnxruntime.InferenceSession` of a file; `prepack` as in `OnnxGraph.load_ahead`.

    Raises:
        ModelError: ONNX Runtime cannot load the file, or not on this provider.
    """
    try:
        session = _session(str(path), device, prepack=prepack)
    # ONNX Runtime's exceptions share no base class but Exception.
    except Exception as error:
        raise ModelError(
            f"{path}: ONNX Runtime {ort.__version__} cannot load it ({first_line(error)}); "
            "export the model again"
        ) from error
    if session.get_providers()[0] != device.provider:
        raise ModelError(f"{path}: {device.provider} cannot load it; try device cpu")
    return session


def run_session(session: Any, path: Path, feeds: dict[str, Any]) -> Any:
    """The first output of a session.

    Raises:
        IdiaIndexError: the run fails, for instance for lack of memory.
    """
    try:
        return session.run(None, feeds)[0]
    except Exception as error:
        raise IdiaIndexError(
            f"{path}: ONNX Runtime failed to run it ({first_line(error)}); "
            "try device cpu or free some memory"
        ) from error


def _session(model: str | bytes, device: OnnxDevice, *, prepack: bool = True) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # see onnx_graph
    # Shapes vary, so a memory plan for one is of no use for the next.
    options.enable_mem_pattern = False
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    providers: list[Any] = [(device.provider, dict(device.options))]
    if device.provider != CPU:
        providers.append(CPU)
    return ort.InferenceSession(model, options, providers=providers)


def first_line(error: Exception) -> str:
    """The first line of an error, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _field(number: int, value: bytes | int) -> bytes:
    """A protobuf field; only for numbers and lengths below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def _product_model() -> bytes:
    """An ONNX file that multiplies two float32 matrices of 8 x 8: a, b -> c."""
    side = _field(1, _field(1, 8))
    matrix = _field(2, _field(1, _field(1, 1) + _field(2, side + side)))
    node = _field(1, b"a") + _field(1, b"b") + _field(2, b"c") + _field(4, b"MatMul")
    ports = _field(11, _field(1, b"a") + matrix) + _field(11, _field(1, b"b") + matrix)
    graph = _field(1, node) + _field(2, b"g") + ports + _field(12, _field(1, b"c") + matrix)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 17))


SWITCH = "IDIA_INDEX_THREADS"
MAX_THREADS = 1024
_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def thread_count(wanted: int | None = None) -> int:
    """Threads on the CPU: `wanted`, else `IDIA_INDEX_THREADS`, else `usable_cores`.

    Raises:
        InputError: not a number from 1 to `MAX_THREADS`.
    """
    text = os.environ.get(SWITCH, "") if wanted is None else str(wanted)
    if not text:
        return usable_cores()
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_THREADS):
        what = SWITCH if wanted is None else "threads"
        raise InputError(f"{what} is {text[:40]}; set 1 to {MAX_THREADS}, or omit it for all cores")
    return int(text)


def usable_cores() -> int:
    """Cores this process may use, at least 1; two hyperthreads of a core count as one.

    In matrix products one thread saturates a core; a second one only slows it down.
    """
    cores = {_siblings(cpu) for cpu in processors()}
    quota = _quota()
    return max(1, min(len(cores), math.ceil(quota) if quota else len(cores)))


def _siblings(cpu: int) -> str:
    """The processors that share a core with this one; only itself if the system does not say."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        if text := _read(_CPU / f"cpu{cpu}" / "topology" / name):
            return text
    return str(cpu)


def _quota() -> float | None:
    """The cgroup's CPU quota in processors; None if unlimited."""
    limit = _read(_CGROUP / "cpu.max").split()  # version 2
    if not limit:
        both = (_CGROUP / "cpu" / f"cpu.cfs_{part}_us" for part in ("quota", "period"))
        limit = [text for text in map(_read, both) if text]
    try:
        time, period = map(int, limit)
    except ValueError:  # "max", or no cgroup at all
        return None
    return time / period if time > 0 and period > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""

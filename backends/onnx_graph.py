"""One graph of an export, run on all cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from idia_index.backends.onnx_external import check_external_data
from idia_index.backends.onnx_format import DATA_SUFFIX
from idia_index.backends.onnx_io import GraphPorts, check_ports
from idia_index.backends.onnx_runtime import OnnxDevice, open_session, run_session
from idia_index.types import Float32

Feeds = Mapping[str, Any]


class OnnxGraph:
    """A graph, loaded when it is first run.

    On the CPU every run keeps to one thread, and the parts of a batch run beside each other.
    That is as fast as sharing each matrix product among the cores where they are idle, and
    twice as fast where other processes want them: no part waits for another.

    Args:
        path: the ONNX file.
        device: where it runs.
        ports: the inputs and outputs that it must have.
    """

    def __init__(self, path: Path, device: OnnxDevice, ports: GraphPorts) -> None:
        self._path, self._ports = path, ports
        self.device = device
        self._lock = Lock()
        self._session: Any = None
        self._ahead = False

    def load_ahead(self, *, prepack: bool) -> None:
        """Starts to load the graph, if nobody has, while the caller goes on.

        Args:
            prepack: whether to lay the weights out for matrix products first. It takes a third
                of a second for ViT-B-32 and saves a seventh of every run.
        """
        if self._session is None and not self._ahead:
            self._ahead = True
            self._executor.submit(self.session, prepack=prepack)

    def session(self, *, prepack: bool = True) -> Any:
        """The session; raises InputError for a file that is not the graph it should be."""
        with self._lock:
            if self._session is None:
                check_external_data(self._path, {self._path.name + DATA_SUFFIX})
                session = open_session(self._path, self.device, prepack=prepack)
                check_ports(session, self._ports, self._path)
                self._session = session
            return self._session

    def run(self, feeds: Feeds) -> Float32:
        """The graph's one output, float32 [p, D]."""
        rows: Float32 = run_session(self.session(), self._path, dict(feeds))
        return rows

    def run_parts(self, parts: Sequence[Callable[[], Feeds]]) -> list[Float32]:
        """The outputs for several inputs, each of which is made where it is run."""
        if len(parts) < 2 or self.device.workers < 2:
            return [self.run(part()) for part in parts]
        return list(self._executor.map(lambda part: self.run(part()), parts))

    @cached_property
    def _executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.device.workers)

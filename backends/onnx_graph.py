"""One graph of an export, run on all cores."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from idia_index.backends.onnx_external import check_external_data
from idia_index.backends.onnx_format import DATA_SUFFIX
from idia_index.backends.onnx_io import Ports, check_ports
from idia_index.backends.onnx_runtime import OnnxDevice, open_session, run_session
from idia_index.errors import IdiaIndexError
from idia_index.types import Float32

Feeds = Mapping[str, Any]


class OnnxGraph:
    """A graph, loaded when it is first run.

    On the CPU every run keeps to one thread, and callers run it in several beside each other.
    That is as fast as sharing each matrix product among the cores where they are idle, and
    twice as fast where other processes want them: no part waits for another.

    Args:
        path: the ONNX file.
        device: where it runs.
        ports: the inputs and outputs that it must have.
    """

    def __init__(self, path: Path, device: OnnxDevice, ports: tuple[Ports, Ports]) -> None:
        self._path, self._ports = path, ports
        self.device = device
        self._lock = Lock()
        self._session: Any = None
        self._ahead: Thread | None = None

    def load_ahead(self, *, prepack: bool) -> None:
        """Starts loading the graph, if not yet started, while the caller continues.

        Args:
            prepack: whether to lay the weights out for matrix products first. It takes a third
                of a second for ViT-B-32 and saves a seventh of every run.
        """
        if self._session is None and self._ahead is None:
            self._ahead = Thread(target=self._load_quietly, args=(prepack,))
            self._ahead.start()

    def _load_quietly(self, prepack: bool) -> None:
        """An error is raised where the session is asked for, which tries again."""
        with suppress(IdiaIndexError):
            self.session(prepack=prepack)

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

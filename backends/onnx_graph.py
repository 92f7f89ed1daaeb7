"""Loads and runs one graph of an export."""

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
    """A graph, loaded on first use.

    On the CPU each run uses one thread, and callers run several in parallel. That is as fast as
    splitting each matrix product across idle cores, and twice as fast when other processes
    compete for them, because no part waits for another.

    Args:
        path: the ONNX file.
        device: where it runs.
        ports: its required inputs and outputs.
    """

    def __init__(self, path: Path, device: OnnxDevice, ports: tuple[Ports, Ports]) -> None:
        self._path, self._ports = path, ports
        self.device = device
        self._lock = Lock()
        self._session: Any = None
        self._ahead: Thread | None = None

    def load_ahead(self, *, prepack: bool) -> None:
        """Starts loading the graph in the background, if not yet started.

        Args:
            prepack: whether to prepack the weights for matrix products. Takes a third of a second
                for ViT-B-32 and makes every run a seventh shorter.
        """
        if self._session is None and self._ahead is None:
            self._ahead = Thread(target=self._load_quietly, args=(prepack,))
            self._ahead.start()

    def _load_quietly(self, prepack: bool) -> None:
        """Drops errors: `session` tries again and raises them."""
        with suppress(IdiaIndexError):
            self.session(prepack=prepack)

    def session(self, *, prepack: bool = True) -> Any:
        """The session; raises ModelError if the file is not the expected graph."""
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

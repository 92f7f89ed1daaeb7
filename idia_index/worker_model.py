"""A loaded model that travels to workers as what it is loaded from, and is the same there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, ModelError, RefusedError
from idia_index.plugins import BackendPlugin
from idia_index.registry import load_backend
from idia_index.support.versions import installed_versions
from idia_index.types import Fingerprint


@dataclass(frozen=True)
class _Recipe:
    """What a worker needs to load a model, and to know that it is the same.

    Attributes:
        name, model, options, device: as `load_backend` takes them.
        fingerprint: what the model is.
        runs_on: the type of the device that it runs on.
        versions: of what computes.
    """

    name: str
    model: str
    options: Mapping[str, Any]
    device: str | None
    fingerprint: Fingerprint
    runs_on: str
    versions: Mapping[str, str]

    @classmethod
    def of(cls, backend: BackendPlugin) -> _Recipe:
        if backend.hosted:
            raise RefusedError(
                f"the backend {backend.name!r} calls a service, which spreads its work itself; "
                "omit --engine"
            )
        return cls(
            backend.name, backend.model, dict(backend.load_options), backend.asked_device,
            backend.fingerprint, _device_type(backend), installed_versions(),
        )  # fmt: skip

    def load(self) -> Backend:
        """Loads the model; raises an IdiaIndexError where it would not compute the same."""
        mine = installed_versions()
        for name in sorted({*mine, *self.versions}):
            theirs, here = self.versions.get(name, "none"), mine.get(name, "none")
            if theirs != here:
                raise IdiaIndexError(
                    f"a worker has {name} {here}, the command has {theirs}; install the same on "
                    "all machines"
                )
        backend = load_backend(self.name, model=self.model, device=self.device, **self.options)
        if backend.fingerprint != self.fingerprint:
            told = "; ".join(self.fingerprint.differences(backend.fingerprint)) or "precision"
            raise ModelError(
                f"model {self.model}: a worker loads another one than the command ({told}); copy "
                "the same files to all machines, or name a path that they share"
            )
        if _device_type(backend) != self.runs_on:
            raise IdiaIndexError(
                f"a worker runs the model on {_device_type(backend)}, the command on "
                f"{self.runs_on}; give --gpus-per-worker with GPUs everywhere, or --device cpu"
            )
        return backend


_last: list[tuple[_Recipe, Backend]] = []  # of the task before, which often has the same


class WorkerModel:
    """A loaded model; pickled, it is what loads it again.

    Attributes:
        backend: the model. In a worker, once `load` was called.
    """

    backend: Backend

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __getstate__(self) -> dict[str, Any]:
        return {"_recipe": _Recipe.of(self.backend)}

    def load(self) -> None:
        """Loads the model where it is not; raises an IdiaIndexError where that gives another."""
        if not hasattr(self, "backend"):
            recipe: _Recipe = self.__dict__["_recipe"]
            if not (_last and _last[0][0] == recipe):
                _last.clear()  # before another is loaded: there may not be room for both
                _last.append((recipe, recipe.load()))
            self.backend = _last[0][1]


def _device_type(backend: BackendPlugin) -> str:
    """Such as cpu or cuda; how many threads there are, or which GPU it is, does not count."""
    return backend.device.split(" ")[0].split(":")[0]

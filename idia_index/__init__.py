"""Does a CLIP model know a face by name? Identity inference as an index, a query and an audit."""

from idia_index import _starting  # noqa: F401 (first: it is about the imports after it)
from idia_index._version import __version__
from idia_index.audit import audit
from idia_index.build import build_index
from idia_index.opening import open_index
from idia_index.registry import load_backend

__all__ = ["__version__", "audit", "build_index", "load_backend", "open_index"]

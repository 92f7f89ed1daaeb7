"""Does a CLIP model know a face by name? Identity inference as an index, a query and an audit."""

from idia_index._version import __version__
from idia_index.pipelines.audit import audit
from idia_index.pipelines.build import build_index
from idia_index.registry import load_backend
from idia_index.search.open import open_index

__all__ = ["__version__", "audit", "build_index", "load_backend", "open_index"]

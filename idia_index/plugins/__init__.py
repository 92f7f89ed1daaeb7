"""What plugins implement: a backend (texts and images in, vectors out) and an index type."""

from idia_index.plugins.backend import BACKEND_DTYPES, Backend, PackTower, Tokenizer
from idia_index.plugins.index_type import IndexKind, Shard

__all__ = ["BACKEND_DTYPES", "Backend", "IndexKind", "PackTower", "Shard", "Tokenizer"]

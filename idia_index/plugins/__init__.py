"""What plugins implement: a backend (texts and images in, vectors out) and an index type."""

from idia_index.plugins.backend import (
    BACKEND_DTYPES,
    ORIGINAL,
    BackendPlugin,
    PackTower,
    Tokenizer,
)
from idia_index.plugins.index_type import IndexType, ScoredShard, SearchedShard, Shard
from idia_index.plugins.scores import Float64, Places, Scores
from idia_index.plugins.session import Session

__all__ = [
    "BACKEND_DTYPES",
    "ORIGINAL",
    "BackendPlugin",
    "Float64",
    "IndexType",
    "PackTower",
    "Places",
    "ScoredShard",
    "Scores",
    "SearchedShard",
    "Session",
    "Shard",
    "Tokenizer",
]

"""What plugins implement: a backend (texts and images in, vectors out), index types, engines."""

from idia_index.plugins.backend import (
    BACKEND_DTYPES,
    ORIGINAL,
    BackendPlugin,
    PackTower,
    Session,
    Tokenizer,
)
from idia_index.plugins.engine import Engine, Task
from idia_index.plugins.index_type import IndexType, ScoredShard, SearchedShard, Shard
from idia_index.plugins.scores import Float64, Places, Scores

__all__ = [
    "BACKEND_DTYPES",
    "ORIGINAL",
    "BackendPlugin",
    "Engine",
    "Float64",
    "IndexType",
    "PackTower",
    "Places",
    "ScoredShard",
    "Scores",
    "SearchedShard",
    "Session",
    "Shard",
    "Task",
    "Tokenizer",
]
